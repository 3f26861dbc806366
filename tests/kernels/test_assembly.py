"""What the assembler does not check of the kernels in assembly."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tinytrain.backend.kernel_sources import include_dirs, kernel_sources
from tinytrain.backend.toolchain import toolchain

#: An address as a distance from pc, as objdump writes it.
FROM_PC = re.compile(r"\t(?:adr|addw?|subw?)[a-z.]*\s+\w+, pc, #")


@pytest.mark.parametrize("target", ["armv6m", "armv7emsp"])
def test_addresses_relative_to_pc_are_of_aligned_sections(target: str, tmp_path: Path) -> None:
    """`adr` counts from pc rounded down to a word: in a section that is not aligned it is wrong."""
    tools, path = toolchain(target), tmp_path / "one.o"
    disassembler = tools.find().removesuffix("gcc") + "objdump"
    found = 0
    for source in kernel_sources(target):
        if source.suffix != ".S":
            continue
        options = [*tools.flags, "-DTT_GRADIENT_BITS=16", *(f"-I{f}" for f in include_dirs())]
        subprocess.run([*tools.compiler(), *options, "-c", source, "-o", path], check=True)
        command = [disassembler, "-dh", "--no-show-raw-insn", path]
        listing = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        alignment = dict(re.findall(r"^\s+\d+ (\.text\S*).* (2\*\*\d)$", listing, re.MULTILINE))
        parts = re.split(r"^Disassembly of section (\S+):$", listing, flags=re.MULTILINE)[1:]
        for section, text in zip(parts[::2], parts[1::2], strict=True):
            if FROM_PC.search(text):
                found += 1
                assert alignment[section] == "2**2", f"{source.name}: .balign 4 in {section}"
    assert found
