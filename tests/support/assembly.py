"""Kernels in assembly, as the assembler understands them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

from tinytrain.backend.kernel_sources import include_dirs, kernel_sources
from tinytrain.backend.toolchain import toolchain


def disassembled(target: str, bits: int, folder: Path) -> Iterator[tuple[Path, str]]:
    """Each source in assembly of a target, for gradients of so many bits, and what objdump says.

    That is its sections, then their instructions.
    """
    tools, path = toolchain(target), folder / "one.o"
    disassembler = tools.find().removesuffix("gcc") + "objdump"
    options = [*tools.flags, f"-DTT_GRADIENT_BITS={bits}", *(f"-I{f}" for f in include_dirs())]
    for source in kernel_sources(target):
        if source.suffix == ".S":
            subprocess.run([*tools.compiler(), *options, "-c", source, "-o", path], check=True)
            command = [disassembler, "-dh", "--no-show-raw-insn", path]
            yield source, subprocess.run(command, check=True, capture_output=True, text=True).stdout
