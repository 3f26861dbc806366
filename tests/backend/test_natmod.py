"""The native module's build: every tested target, same bytes each time, clear refusals."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest
import tiny_model
from elftools.elf.elffile import ELFFile

from support.small_module import INIT, STORE, build_small
from tinytrain.backend import natmod
from tinytrain.backend.mpy_file import ARCHITECTURES, MpyTag
from tinytrain.backend.natmod import build_natmod
from tinytrain.backend.toolchain import TARGETS, Toolchain, toolchain
from tinytrain.errors import BuildError
from tinytrain.resources import c_kernels_dir, mpy_module_dir

# what no sound build of the small model reaches; code for x64 is the largest, with 22,152 bytes
RAM_LIMIT = dict.fromkeys(TARGETS, 20_000) | {"x64": 24_000}


def functions(path: Path) -> set[str]:
    with path.open("rb") as file:
        symbols = ELFFile(file).get_section_by_name(".symtab").iter_symbols()
        return {s.name for s in symbols if s["st_info"]["type"] == "STT_FUNC"}


@pytest.mark.parametrize("target", TARGETS)
def test_builds_and_keeps_what_is_called(target: str, tmp_path: Path) -> None:
    report = tiny_model.build(tmp_path, target)
    data = (tmp_path / "tinytrain.mpy").read_bytes()
    assert MpyTag.of_file(data) == MpyTag(6, 3, ARCHITECTURES[target])
    assert report.file_bytes == len(data)
    assert report.bss == 0
    if target != "xtensawin":  # where mpy_ld.py drops literals that are there already
        assert report.text + report.rodata <= report.ram_bytes
    assert report.ram_bytes < len(data)
    assert report.ram_bytes <= RAM_LIMIT[target]
    kept = functions(tmp_path / "work" / natmod.MERGED)
    assert {"mpy_init", "tt_model_call", "tt_bias_bwd", "tt_loss_bits"} <= kept
    assert not kept & {"tt_max_pool2d_s8", "tt_softmax_s8", "tt_mean_bwd", "tt_grad_add"}


@pytest.mark.parametrize("target", TARGETS)
def test_bytes_depend_on_the_sources_alone(target: str, tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "a" / "deeper" / "place"
    reports = [tiny_model.build(folder, target) for folder in (one, other)]
    assert reports[0] == reports[1]
    data = (one / "tinytrain.mpy").read_bytes()
    assert data == (other / "tinytrain.mpy").read_bytes()
    for path in (tmp_path, Path(natmod.__file__).parents[3]):
        assert str(path).encode() not in data


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    ("before", "inside", "message"),
    [
        ("int counter = 7;", f"{STORE}++counter));", r"counter in \.data\S*: .*make it const"),
        ("int zeroed;", f"{STORE}++zeroed));", r"zeroed in \.bss\S*: .*block of memory"),
        ("static int hidden;", f"{STORE}hidden += (int)n));", r"hidden in \.bss\S*: "),
        (
            "int missing(int);",
            f"{STORE}missing(3)));",
            r"undefined symbol missing, used in (\.text\.mpy_init|\.literal)",
        ),
        ("", "syntax error;", "small.c does not compile"),
        ("", "int unused = 3;", "unused variable"),
    ],
)
def test_lints(target: str, before: str, inside: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=message):
        build_small(tmp_path, target, before, inside)
    assert not (tmp_path / "small.mpy").exists()


@pytest.mark.parametrize("target", TARGETS)
def test_declared_bss_is_allowed_unless_static(target: str, tmp_path: Path) -> None:
    build_small(tmp_path, target, "int zeroed;", f"{STORE}++zeroed));", bss={"zeroed"})
    with pytest.raises(BuildError, match=r"hidden in .* is static"):
        build_small(tmp_path, target, "static int hidden;", f"{STORE}hidden += (int)n));",
                    bss={"hidden"})  # fmt: skip


@pytest.mark.parametrize("target", TARGETS)
def test_unreachable_faults_do_not_matter(target: str, tmp_path: Path) -> None:
    uncalled = "int f(int);\nint f(int n) { return missing(n) / n; }"
    build_small(tmp_path, target, f"int missing(int);\n{uncalled}", "")


def test_compiler_runtime_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="undefined symbol __aeabi_uidiv, used in"):
        build_small(tmp_path, "armv6m", "", f"{STORE}1000u / (unsigned)n));")


def test_addresses_in_code_are_refused(tmp_path: Path) -> None:
    table = 'static const char word[] = "x";\n__asm__(".section .rodata.t,\\"a\\"\\n.globl t\\n'
    table += 't: .word mpy_init\\n.previous");\nextern const int t[];'
    with pytest.raises(BuildError, match=r"address of mpy_init in \.rodata\.t"):
        build_small(tmp_path, "armv6m", table, f"{STORE}t[n] + word[n]));")


def test_unknown_target() -> None:
    with pytest.raises(BuildError, match=r"unknown target 'z80'; known: .*armv6m.*xtensawin"):
        build_natmod([], [], "z80", Path("x.mpy"), Path())


def test_missing_compiler_names_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = Toolchain("armv6m", ("no-such-",), (), "apt-get install gcc-no-such")
    monkeypatch.setitem(natmod.COMPILERS, "gnu", lambda target, core: row)
    with pytest.raises(BuildError, match=r"no-such-gcc.*apt-get install gcc-no-such"):
        build_small(tmp_path, "armv6m", "", "")


def test_missing_micropython_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPY_DIR", str(tmp_path / "nowhere"))
    with pytest.raises(BuildError, match=r"nowhere.*MPY_DIR must name"):
        build_small(tmp_path, "x64", "", "")
    monkeypatch.delenv("MPY_DIR")
    monkeypatch.setenv("TINYTRAIN_CACHE", str(tmp_path / "empty"))
    with pytest.raises(BuildError, match="make setup"):
        build_small(tmp_path, "x64", "", "")


def test_progress_counts_up(tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    new = f"/* {time.time_ns()} */"  # nobody has kept what is made of it
    for _ in range(2):
        build_small(tmp_path, "x64", new, "", progress=lambda *what: seen.append(what))
    linked = ("linked small.mpy", 2, 2)
    assert seen == [("compiling small.c", 1, 2), linked, linked]


VISIBLE = "__attribute__((externally_visible)) " + INIT.splitlines()[2]
OTHER = """
int deep(int n);
__attribute__((noinline)) int deep(int n) {
    volatile char block[1000];
    block[n & 255] = (char)n;
    return block[n & 127];
}
"""


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("together", [False, True])
def test_sources_compiled_as_one(target: str, together: bool, tmp_path: Path) -> None:
    """They find each other, what nobody calls is dropped, and the stack is that of the calls."""
    main, other = tmp_path / "main.c", tmp_path / "other.c"
    used = f"{STORE}deep((int)n) + deep((int)n_kw)));"
    main.write_text(INIT % (f"{VISIBLE}\nint deep(int n);\nint idle(int n);", used))
    other.write_text(OTHER + "int idle(int n);\nint idle(int n) { return deep(n) + 1; }\n")
    report = build_natmod(
        [main, other],
        [mpy_module_dir(), c_kernels_dir() / "include"],
        target,
        tmp_path / "small.mpy",
        tmp_path / "work",
        compact=[main, other],
        whole=[main, other] if together else [],
    )
    assert functions(tmp_path / "work" / natmod.MERGED) == {"mpy_init", "deep"}
    assert 800 <= report.stack_bytes <= 1200


def xtensa_instructions(core: str, folder: Path) -> set[str]:
    """The mnemonics of the linked functions."""
    tiny_model.build(folder, "xtensawin", core)
    tools = toolchain("xtensawin", core)
    command = [tools.find().removesuffix("gcc") + "objdump", "-d", folder / "work" / natmod.MERGED]
    result = subprocess.run(
        command, check=True, capture_output=True, text=True, env=tools.surroundings()
    )
    found, code = set(), False
    for line in result.stdout.splitlines():
        if line.startswith("Disassembly of section"):
            code = ".text" in line  # not .literal, which is marked as code too
        elif code and len(fields := line.split("\t")) > 2:
            found.add(fields[2].strip())
    return found


def test_esp32_s2_gets_no_instruction_that_it_lacks(tmp_path: Path) -> None:
    """No zero-overhead loops; no module computes in floating point anyway."""
    loops = {"loop", "loopnez", "loopgtz"}
    full, reduced = (xtensa_instructions(core, tmp_path / core) for core in ("esp32", "esp32s2"))
    assert "entry" in reduced and "retw.n" in reduced
    assert full & loops and not reduced & loops
