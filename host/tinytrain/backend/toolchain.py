"""Compilers: one row per target, named as MicroPython names its architectures."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tinytrain.errors import BuildError


@dataclass(frozen=True, slots=True)
class Toolchain:
    """A GNU compiler and the options that make it produce code for a target.

    install: what a user without the compiler has to do.
    tested: whether the test bed has a board that runs the result.
    """

    target: str
    prefix: str
    flags: tuple[str, ...]
    install: str
    tested: bool

    @property
    def compiler(self) -> str:
        return self.prefix + "gcc"

    def find(self) -> str:
        """The compiler's path; BuildError if it is not installed."""
        path = shutil.which(self.compiler)
        if path is None:
            raise BuildError(
                f"building for {self.target} needs {self.compiler}, which is not installed: "
                f"{self.install}"
            )
        return path

    def include_dir(self) -> Path:
        """The compiler's own headers (stdint.h and the like), the only ones a module needs."""
        command = [self.find(), "-print-file-name=include"]
        found = subprocess.run(command, check=True, capture_output=True, text=True)
        return Path(found.stdout.strip())


def _row(target: str, prefix: str, flags: str, install: str, *, tested: bool = False) -> Toolchain:
    return Toolchain(target, prefix, tuple(flags.split()), install, tested)


_ARM = ("arm-none-eabi-", "apt-get install gcc-arm-none-eabi")
_XTENSA = ("xtensa-esp32-elf-", "Debian has no package; put ESP-IDF's toolchain on the PATH")

# Modules pass no float by value and compute with none: the Cortex-M rows therefore use no FPU
# registers either, and one module serves hard-float and softfp firmwares (STM32F4 and Pico 2).
TOOLCHAINS = {
    row.target: row
    for row in (
        _row(
            "x64",
            "",
            "-fno-stack-protector -fcf-protection=none",
            "apt-get install gcc",
            tested=True,
        ),
        _row("armv6m", _ARM[0], "-mthumb -mcpu=cortex-m0", _ARM[1], tested=True),
        _row("armv7m", _ARM[0], "-mthumb -mcpu=cortex-m3", _ARM[1]),
        _row(
            "armv7emsp", _ARM[0], "-mthumb -mcpu=cortex-m4 -mfloat-abi=soft", _ARM[1], tested=True
        ),
        _row("armv7emdp", _ARM[0], "-mthumb -mcpu=cortex-m7 -mfloat-abi=soft", _ARM[1]),
        # -msmall-data-limit=0: mpy_ld.py ignores .sdata and .sbss
        _row(
            "rv32imc",
            "riscv64-unknown-elf-",
            "-march=rv32imc -mabi=ilp32 -mno-relax -msmall-data-limit=0",
            "apt-get install gcc-riscv64-unknown-elf",
            tested=True,
        ),
        _row("xtensawin", _XTENSA[0], "-mlongcalls", _XTENSA[1]),
    )
}


def toolchain(target: str) -> Toolchain:
    """The row of a target."""
    if target not in TOOLCHAINS:
        raise BuildError(f"unknown target {target!r}; known: {', '.join(sorted(TOOLCHAINS))}")
    return TOOLCHAINS[target]
