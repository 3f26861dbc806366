"""Compilers: the programs that make code for a target, which has MicroPython's name for it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from tinytrain.errors import BuildError
from tinytrain.kernels.build_cache import program_identity
from tinytrain.resources import cache_dir

CORES = {"xtensawin": ("esp32", "esp32s2", "esp32s3")}  # the first is what a target means by itself

# files may use each other's names for what is local
_WHOLE = ("-fwhole-program", "-Wno-shadow", "-fno-move-loop-invariants", "-fno-tree-scev-cprop")


@dataclass(frozen=True, slots=True)
class Toolchain:
    """A GNU compiler and the options that make it produce code for a target.

    prefixes: beginnings of the programs' names, maybe with a folder; the first one found is taken.
    core: which of a target's chips, "" where all are alike. install: what a user without the
    compiler has to do. environment: what the programs need to be set. gnu: whether the compiler
    knows gcc's own options. whole, prelude: more options, and what stands before them, for sources
    that are compiled as one.
    """

    target: str
    prefixes: tuple[str, ...]
    flags: tuple[str, ...]
    install: str
    core: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    gnu: bool = True
    whole: tuple[str, ...] = _WHOLE
    prelude: str = ""

    @property
    def prefix(self) -> str | None:
        """The beginning of the names of the programs that are there."""
        return next((p for p in self.prefixes if shutil.which(p + "gcc")), None)

    def find(self) -> str:
        """The compiler's path; BuildError if it is not installed."""
        prefix = self.prefix
        if prefix is None:
            names = " or ".join(f"{p}gcc" for p in self.prefixes if not Path(p).is_absolute())
            raise BuildError(
                f"building for {self.core or self.target} needs {names}, which is not installed: "
                f"{self.install}"
            )
        return str(shutil.which(prefix + "gcc"))

    def compiler(self) -> list[str]:
        """The beginning of a command that compiles."""
        return [self.find()]

    def stack_usage(self, name: str) -> list[str]:
        """Options that write the frames of an object's functions to a .su file of its name."""
        del name  # which gcc knows
        return ["-fstack-usage"]

    def merger(self, entry: str) -> list[str]:
        """The beginning of a command that merges objects and drops what `entry` does not reach."""
        command = [self.find(), *self.flags, "-r", "-nostdlib", "-Wl,--gc-sections"]
        return [*command, f"-Wl,--entry={entry}", "-Wl,--build-id=none"]

    def finish(self, merged: Path) -> None:
        """Change a merged object in what MicroPython's linker does not understand: nothing."""

    def identity(self) -> str:
        """What tells these programs and their settings from all others."""
        files = (self.find(), *filter(os.path.exists, self.environment.values()))
        return " ".join((self.target, *map(program_identity, files)))

    def surroundings(self) -> dict[str, str]:
        """The environment for the programs."""
        return {**os.environ, **self.environment}

    def include_dir(self) -> Path:
        """The compiler's own headers (stdint.h and the like), the only ones a module needs."""
        return _include_dir(self.find(), tuple(self.environment.items()))


@cache
def _include_dir(compiler: str, environment: tuple[tuple[str, str], ...]) -> Path:
    command = [compiler, "-print-file-name=include"]
    surroundings = {**os.environ, **dict(environment)}
    found = subprocess.run(command, check=True, capture_output=True, text=True, env=surroundings)
    return Path(found.stdout.strip())


_ARM = (("arm-none-eabi-",), "apt-get install gcc-arm-none-eabi")
_RISCV = ("riscv64-unknown-elf-", "riscv32-unknown-elf-", "riscv-none-elf-", "riscv32-esp-elf-")

# gcc schedules before it allocates registers, for cores with more of them: loops then spill.
_IN_ORDER = "-fno-schedule-insns"

# Modules pass no float by value and compute with none: the Cortex-M rows therefore use no FPU
# registers either, and one module serves hard-float and softfp firmwares (STM32F4 and Pico 2).
_ROWS = {
    "x64": (("",), "-fno-stack-protector -fcf-protection=none", "apt-get install gcc"),
    "armv6m": (_ARM[0], "-mthumb -mcpu=cortex-m0", _ARM[1]),
    "armv7m": (_ARM[0], "-mthumb -mcpu=cortex-m3", _ARM[1]),
    "armv7emsp": (_ARM[0], "-mthumb -mcpu=cortex-m4 -mfloat-abi=soft", _ARM[1]),
    "armv7emdp": (_ARM[0], "-mthumb -mcpu=cortex-m7 -mfloat-abi=soft", _ARM[1]),
    # -msmall-data-limit=0: mpy_ld.py ignores .sdata and .sbss
    "rv32imc": (
        _RISCV,
        f"-march=rv32imc -mabi=ilp32 -mno-relax -msmall-data-limit=0 {_IN_ORDER}",
        "apt-get install gcc-riscv64-unknown-elf",
    ),
    "xtensawin": ((), f"-mlongcalls {_IN_ORDER}", ""),
}
TARGETS = tuple(_ROWS)


def toolchain(target: str, core: str = "") -> Toolchain:
    """The row of a target; core: one of CORES[target], by default the first."""
    if target not in _ROWS:
        raise BuildError(f"unknown target {target!r}; known: {', '.join(sorted(_ROWS))}")
    cores = CORES.get(target, ("",))
    if (core := core or cores[0]) not in cores:
        known = ", ".join(filter(None, cores)) or "none"
        raise BuildError(f"unknown core {core!r} of {target}; known: {known}")
    if target == "xtensawin":
        return _xtensa(core)
    prefixes, flags, install = _ROWS[target]
    prelude = '#include "near_calls.h"' if target == "rv32imc" else ""
    return Toolchain(target, prefixes, tuple(flags.split()), install, prelude=prelude)


def _xtensa(core: str) -> Toolchain:
    """Espressif's compiler, else Debian's, which the test bed's set-up configures for the core.

    The ESP32-S2 has neither an FPU nor zero-overhead loops; what is built for it runs on all three.
    """
    flags = _ROWS["xtensawin"][1]
    folder = cache_dir() / "xtensa"
    own = folder / "root" / "usr" / "bin" / "xtensa-lx106-elf-"
    config = folder / ("esp32s2.so" if core == "esp32s2" else "esp32.so")
    return Toolchain(
        "xtensawin",
        (f"xtensa-{core}-elf-", str(own)),
        tuple(flags.split()),
        "put ESP-IDF's toolchain on the PATH, or, on Debian, run 'tests/bed/bed.sh setup esp32' "
        "in tinytrain's repository",
        core,
        {"XTENSA_GNU_CONFIG": str(config)},  # which Espressif's compiler does not read
        # calls are direct, and short, within a section only
        whole=(*_WHOLE, "-fno-function-sections"),
    )
