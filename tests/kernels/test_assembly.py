"""What the assembler does not check of the kernels in assembly."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from support.assembly import disassembled

#: An address as a distance from pc, as objdump writes it.
FROM_PC = re.compile(r"\t(?:adr|addw?|subw?)[a-z.]*\s+\w+, pc, #")


@pytest.mark.parametrize("target", ["armv6m", "armv7emsp"])
def test_addresses_relative_to_pc_are_of_aligned_sections(target: str, tmp_path: Path) -> None:
    """`adr` counts from pc rounded down to a word: in a section that is not aligned it is wrong."""
    found = 0
    for source, listing in disassembled(target, 16, tmp_path):
        alignment = dict(re.findall(r"^\s+\d+ (\.text\S*).* (2\*\*\d)$", listing, re.MULTILINE))
        parts = re.split(r"^Disassembly of section (\S+):$", listing, flags=re.MULTILINE)[1:]
        for section, text in zip(parts[::2], parts[1::2], strict=True):
            if FROM_PC.search(text):
                found += 1
                assert alignment[section] == "2**2", f"{source.name}: .balign 4 in {section}"
    assert found
