"""The table of targets, and where the test bed keeps what it builds."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

BED = Path(__file__).resolve().parents[1]


class BedError(Exception):
    """The test bed cannot do what was asked: unknown target, not set up, emulator did not start."""


@dataclass(frozen=True, slots=True)
class Target:
    """One row of targets.txt."""

    name: str
    family: str
    arch: str
    board: str
    qemu: str
    romfs: str
    native: str
    machine: tuple[str, ...]

    @property
    def core(self) -> str:
        """The chip that its compiler is set up for, "" where an architecture has but one kind."""
        return self.board if self.family == "xtensa" else ""

    @property
    def out(self) -> Path:
        """Where bed.sh puts what it builds for this target."""
        return cache_dir() / "targets" / self.name

    @property
    def native_range(self) -> str:
        """LO:HI addresses of native code: of the table, or taken from the firmware at set-up."""
        return self.native if self.native != "-" else (self.out / "native").read_text().strip()

    @property
    def ready(self) -> bool:
        return (self.out / "ready").exists()


def cache_dir() -> Path:
    """The folder outside the tree for everything downloaded and built; bed.sh has the same rule."""
    if own := os.environ.get("TINYTRAIN_CACHE"):
        return Path(own).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").absolute() / "tinytrain"


def targets() -> dict[str, Target]:
    """The table of targets, by name."""
    table = {}
    for line in (BED / "targets.txt").read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            name, family, arch, board, qemu, romfs, native, machine = line.split(maxsplit=7)
            table[name] = Target(
                name, family, arch, board, qemu, romfs, native, tuple(machine.split())
            )
    return table


def find(name: str) -> Target:
    """The target of that name, which must have been set up."""
    known = targets()
    if name not in known:
        raise BedError(f"unknown target '{name}' (known: {' '.join(known)})")
    if not known[name].ready:
        raise BedError(f"target {name} is not set up: run 'tests/bed/bed.sh setup {name}'")
    return known[name]
