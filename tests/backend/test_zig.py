"""zig as the compiler: same refusals, same bytes each time, relocations that mpy_ld.py knows."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from support.small_module import STORE, build_small
from tinytrain.backend.mpy_file import ARCHITECTURES, MpyTag
from tinytrain.backend.natmod import MERGED
from tinytrain.backend.zig import R_ARM_BASE_PREL, R_ARM_GOT_BREL, R_ARM_GOT_PREL, zig_toolchain
from tinytrain.cli import main
from tinytrain.errors import BuildError


@pytest.mark.parametrize("target", ["x64", "armv6m", "rv32imc"])
@pytest.mark.parametrize(
    ("before", "message"),
    [
        ("int counter = 7;", r"counter in \.data\S*: .*make it const"),
        ("int counter;", r"counter in \.bss\S*: .*block of memory"),
        ("extern int counter;", "undefined symbol counter"),
    ],
)
def test_lints_hold(target: str, before: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=message):
        build_small(tmp_path, target, before, f"{STORE}++counter));", compiler="zig")


def test_got_relocations_are_split(tmp_path: Path) -> None:
    build_small(tmp_path, "armv6m", "", f"{STORE}3));", compiler="zig")
    with (tmp_path / "work" / MERGED).open("rb") as file:
        elf = ELFFile(file)
        tables = [s for s in elf.iter_sections() if s["sh_type"] == "SHT_REL"]
        found = [r for s in tables for r in s.iter_relocations() if s.name.startswith(".rel.text")]
        names = [s.name for s in elf.get_section_by_name(".symtab").iter_symbols()]
    kinds = [r["r_info_type"] for r in found]
    assert R_ARM_GOT_PREL not in kinds
    assert kinds.count(R_ARM_GOT_BREL) == kinds.count(R_ARM_BASE_PREL) > 0
    for entry, base in pairwise(found):
        if entry["r_info_type"] == R_ARM_GOT_BREL:
            assert base["r_info_type"] == R_ARM_BASE_PREL
            assert base["r_offset"] == entry["r_offset"]
            assert names[base["r_info_sym"]] == "_GLOBAL_OFFSET_TABLE_"


def test_bytes_depend_on_the_sources_alone(tmp_path: Path) -> None:
    made = []
    for place in (tmp_path / "one", tmp_path / "a" / "deeper" / "place"):
        place.mkdir(parents=True)
        build_small(place, "armv6m", "", f"{STORE}3));", compiler="zig")
        made.append((place / "small.mpy").read_bytes())
    assert made[0] == made[1]
    assert MpyTag.of_file(made[0]) == MpyTag(6, 3, ARCHITECTURES["armv6m"])


def test_xtensa_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(BuildError, match="zig cannot build for xtensawin; use --toolchain gnu"):
        zig_toolchain("xtensawin")
    assert main(["doctor", "--board", "esp32", "--toolchain", "zig"]) == 2
    assert "zig cannot build for xtensawin" in capsys.readouterr().err
    assert main(["doctor", "--toolchain", "zig"]) == 0
    assert "compiler for rv32imc" in capsys.readouterr().out
