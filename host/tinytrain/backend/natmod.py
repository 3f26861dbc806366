"""C sources to a native MicroPython module: compile, drop what nobody calls, check, link.

MicroPython's linker script (tools/mpy_ld.py) lays out every section of every object it is given.
So the compiler's own linker merges the objects first, with `-r --gc-sections` and mpy_init as the
root: relocations and local symbols survive as mpy_ld.py wants them, provided that each function and
constant has a section of its own, and that unwind tables, which refer to all functions, are off. On
RISC-V the second relocation of a PC-relative pair names a label at the place of the first; such
labels survive too. What does not work by itself: undefined names that only dropped functions used
stay in the symbol table, and mpy_ld.py then asks for them, so they are hidden from it; and on
Xtensa it tells literals apart by file and offset, so all of them have to be in one section.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tinytrain.backend.object_lint import check_object, hide_unused_names
from tinytrain.backend.stack import worst_stack
from tinytrain.backend.toolchain import Toolchain, toolchain
from tinytrain.backend.zig import zig_toolchain
from tinytrain.errors import BuildError
from tinytrain.resources import micropython_dir, mpy_module_dir

Progress = Callable[[str, int, int], None]  # what, steps done, steps in all

COMPILERS: Mapping[str, Callable[[str, str], Toolchain]] = {
    "gnu": toolchain,
    "zig": zig_toolchain,
}
ENTRY = "mpy_init"
QSTRS = "qstrs.config.h"
MERGED = "module.o"
ONE_LITERAL_SECTION = "SECTIONS { .literal : { *(.literal .literal.*) } }\n"

CODE_FLAGS = (
    "-std=c99",
    "-fpic",
    "-fno-common",
    "-ffreestanding",
    "-ffunction-sections",
    "-fdata-sections",
    "-fno-jump-tables",  # on armv6m they call libgcc
    "-fno-asynchronous-unwind-tables",
    "-U_FORTIFY_SOURCE",
)
GNU_FLAGS = (
    "-fno-tree-loop-distribute-patterns",  # loops stay loops, not calls of memset
    "-Wall",
    "-Wextra",
    "-Wpedantic",
    "-Wshadow",
    "-Wconversion",
    "-Wsign-conversion",
    "-Wstrict-prototypes",
    "-Wmissing-prototypes",
    "-Wundef",
    "-Wwrite-strings",
    "-Werror",
)
# No float at all: the module would have to agree with the firmware on how calls pass them.
MICROPYTHON_FLAGS = (
    "-DNDEBUG",
    "-DNO_QSTR",
    "-DMICROPY_ENABLE_DYNRUNTIME",
    "-DMICROPY_USE_INTERNAL_ERRNO=1",
    "-DMICROPY_FLOAT_IMPL=MICROPY_FLOAT_IMPL_NONE",
    f"-DMP_CONFIGFILE=<{QSTRS}>",
)


@dataclass(frozen=True, slots=True)
class NatmodReport:
    """A built module. Bytes: code, constants and zeroed data as linked; ram_bytes is what the board
    loads (all three, the offset table and alignment included); file_bytes is the .mpy itself;
    stack_bytes is the deepest stack of the module's own code."""

    target: str
    text: int
    rodata: int
    bss: int
    ram_bytes: int
    file_bytes: int
    sha256: str
    stack_bytes: int


def build_natmod(
    sources: Sequence[Path],
    include_dirs: Sequence[Path],
    target: str,
    out: Path,
    work_dir: Path,
    *,
    compact: Collection[Path] = (),
    defines: Sequence[str] = (),
    bss: Collection[str] = (),
    core: str = "",
    compiler: str = "gnu",
    jobs: int = 2,
    progress: Progress = lambda what, done, total: None,
) -> NatmodReport:
    """Build the module `out` for a target. The bytes depend on the sources and the tools alone.

    compact: sources to be compiled for size instead of speed. defines: macros, "NAME=VALUE".
    bss: the only zeroed variables that the module may have (global ones: a static one would not be
    relocated). core: see toolchain(). compiler: "gnu" or "zig".
    """
    tools = COMPILERS[compiler](target, core)
    # the tools run in work_dir
    sources, compact = [s.absolute() for s in sources], [c.absolute() for c in compact]
    work_dir, out = work_dir.absolute(), out.absolute()
    work_dir.mkdir(parents=True, exist_ok=True)
    _mpy_ld(work_dir, tools, "--preprocess", "-o", QSTRS, *map(str, sources))
    flags = [*_compile_flags(tools, include_dirs), *(f"-D{text}" for text in defines)]
    commands = [
        (source, [*flags, "-Os" if source in compact else "-O2"], f"{i:02}-{source.stem}.o")
        for i, source in enumerate(sources)
    ]
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        compiled = pool.map(lambda command: _compile(tools, work_dir, *command), commands)
        for done, name in enumerate(compiled, 1):
            progress(f"compiling {name}", done, len(commands) + 1)
    report = _link(tools, work_dir, [(source, name) for source, _, name in commands], bss, out)
    progress(f"linked {out.name}", len(commands) + 1, len(commands) + 1)
    return report


def _link(
    tools: Toolchain,
    work_dir: Path,
    compiled: Sequence[tuple[Path, str]],
    bss: Collection[str],
    out: Path,
) -> NatmodReport:
    """compiled: sources and their objects."""
    _merge(tools, work_dir, [name for _, name in compiled])
    sizes = check_object(work_dir / MERGED, bss)
    said = _mpy_ld(work_dir, tools, "--qstrs", QSTRS, "-o", out.name, MERGED)
    loaded = re.findall(r"^(?:text|rodata|bss) size: +(\d+)$", said, re.MULTILINE)
    data = (work_dir / out.name).read_bytes()
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    usages = [(work_dir / name).with_suffix(".su") for s, name in compiled if s.suffix == ".c"]
    assembly = [source for source, _ in compiled if source.suffix == ".S"]
    stack = worst_stack(work_dir / MERGED, usages, assembly)
    return NatmodReport(tools.target, *sizes, sum(map(int, loaded)), len(data), digest, stack)


def _compile_flags(tools: Toolchain, include_dirs: Sequence[Path]) -> list[str]:
    """Only the compiler's own headers are used besides ours and MicroPython's: no C library."""
    system = [mpy_module_dir() / "freestanding", tools.include_dir(), micropython_dir()]
    return [
        *(*tools.flags, *CODE_FLAGS, *MICROPYTHON_FLAGS, "-nostdinc", "-I."),
        *(GNU_FLAGS if tools.gnu else ()),
        *(f"-I{folder.absolute()}" for folder in include_dirs),
        *(word for folder in system for word in ("-isystem", str(folder))),
    ]


def _compile(tools: Toolchain, work_dir: Path, source: Path, flags: list[str], name: str) -> str:
    command = [*tools.compiler(), *flags, *tools.stack_usage(name)]
    command += ["-c", str(source.absolute()), "-o", name]
    failure = f"{source.name} does not compile for {tools.target}"
    _run(command, work_dir, failure, tools.surroundings())
    return source.name


def _merge(tools: Toolchain, work_dir: Path, objects: Sequence[str]) -> None:
    """One relocatable object with what is reachable from the entry."""
    command = tools.merger(ENTRY)
    if tools.target == "xtensawin":
        (work_dir / "literals.ld").write_text(ONE_LITERAL_SECTION)
        command += ["-Wl,--no-relax", "-Wl,-T,literals.ld"]
    failure = f"the objects for {tools.target} cannot be merged"
    _run([*command, *objects, "-o", MERGED], work_dir, failure, tools.surroundings())
    hide_unused_names(work_dir / MERGED)
    tools.finish(work_dir / MERGED)


def _mpy_ld(work_dir: Path, tools: Toolchain, *arguments: str) -> str:
    script = micropython_dir() / "tools" / "mpy_ld.py"
    command = [sys.executable, str(script), "--arch", tools.target, *arguments]
    return _run(command, work_dir, f"MicroPython's linker refuses the module for {tools.target}")


def _run(
    command: Sequence[str],
    work_dir: Path,
    failure: str,
    environment: Mapping[str, str] | None = None,
) -> str:
    result = subprocess.run(
        command, cwd=work_dir, capture_output=True, text=True, check=False, env=environment
    )
    if result.returncode != 0:
        said = (result.stdout + result.stderr).strip()
        if "Traceback (most recent call last)" in said:  # of a tool in Python: what it ends with
            said = said.splitlines()[-1]
        raise BuildError(f"{failure}:\n{said[-4000:]}")
    return result.stdout
