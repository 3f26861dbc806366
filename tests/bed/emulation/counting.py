"""Counting what native code costs: QEMU's plugin, and the counters of the emulated Pico."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from emulation.targets import Target, cache_dir

# The Pico's counters, at an address where silicon has nothing: see pico/emu/harness-page.mjs
PICO_CLEAR = "import machine; machine.mem32[0x4f000000] = 1"
PICO_READ = (
    "import machine; print([machine.mem32[0x4f000000 + 4 * i] & 0xffffffff for i in range(6)])"
)
PICO_COUNTS = ("native_cycles", "native_insns", "stack", "cycles", "flash_erases", "flash_programs")
CYCLE_MODELS = {"m4f": "m4"}  # qemu/cortex_m4.h


@dataclass(frozen=True, slots=True)
class Mark:
    """Instructions and cycles in native modules when a mark was passed (cycles: 0 if unknown).

    A mark is an instruction of a native module that does nothing: qemu/nativecount.c has them.
    """

    insns: int
    cycles: int


def qemu_plugin(target: Target, counts: Path) -> list[str]:
    """Options that make QEMU write its counts to a file."""
    low, high = target.native_range.split(":")
    options = [f"lo={low}", f"hi={high}", f"out={counts}"]
    if model := CYCLE_MODELS.get(target.name):
        options.append(f"cycles={model}")
    return ["-plugin", ",".join([f"{cache_dir()}/nativecount.so", *options])]


def read_counts(file: Path) -> tuple[dict[str, int], list[Mark]]:
    """What an emulator has written: counts (QEMU's, none if it was killed) and marks."""
    lines = file.read_text().splitlines() if file.exists() else []
    marks = [Mark(*map(int, line.split()[1:])) for line in lines if line.startswith("mark ")]
    pairs = (line.partition("=") for line in lines if "=" in line)
    return {key: int(value) for key, _, value in pairs}, marks


def pico_counts(printed: bytes) -> dict[str, int]:
    """What PICO_READ prints."""
    numbers = re.findall(rb"\d+", printed)
    return dict(zip(PICO_COUNTS, map(int, numbers), strict=True))
