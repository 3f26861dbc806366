"""Counting what native code costs: QEMU's plugin, and the counters of the emulated Pico."""

from __future__ import annotations

import re
from pathlib import Path

from emulation.targets import Target, cache_dir

# The Pico's counters, at an address where silicon has nothing: see pico/emu/harness-page.mjs
PICO_CLEAR = "import machine; machine.mem32[0x4f000000] = 1"
PICO_READ = (
    "import machine; print([machine.mem32[0x4f000000 + 4 * i] & 0xffffffff for i in range(6)])"
)
PICO_COUNTS = ("native_cycles", "native_insns", "stack", "cycles", "flash_erases", "flash_programs")


def qemu_plugin(target: Target, counts: Path) -> list[str]:
    """Options that make QEMU write its counts to a file when it ends."""
    low, high = target.native_range.split(":")
    return ["-plugin", f"{cache_dir()}/nativecount.so,lo={low},hi={high},out={counts}"]


def qemu_counts(counts: Path) -> dict[str, int]:
    """What the plugin has written; nothing if QEMU was killed."""
    if not counts.exists():
        return {}
    pairs = (item.partition("=") for item in counts.read_text().split())
    return {key: int(value) for key, _, value in pairs}


def pico_counts(printed: bytes) -> dict[str, int]:
    """What PICO_READ prints."""
    numbers = re.findall(rb"\d+", printed)
    return dict(zip(PICO_COUNTS, map(int, numbers), strict=True))
