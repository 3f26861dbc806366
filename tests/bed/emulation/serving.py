"""Serving a board to mpremote."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from emulation.emulators import (
    Emulator,
    Sink,
    pico_command,
    qemu_command,
    romfs_image,
    xtensa_command,
)
from emulation.targets import BedError, Target, find


@contextlib.contextmanager
def served(
    row: Target,
    romfs: Path | None,
    flash: Path | None,
    log: Sink,
    journal: Path | None = None,
    serial: Path | None = None,
) -> Iterator[Emulator]:
    """A board whose prompt has answered."""
    folder = None
    with tempfile.TemporaryDirectory() as tmp:
        rom = romfs_image(romfs, Path(tmp, "rom.img")) if romfs else None
        if row.family == "qemu":
            command = qemu_command(row, rom, None)
        elif row.family == "pico":
            options = ["--save", str(flash)] if flash else []
            if flash and flash.exists():
                options += ["--flash", str(flash)]
            options += ["--journal", str(journal)] if journal else []
            options += ["--serial", str(serial)] if serial else []
            command = pico_command(row, rom, *options)
        elif row.family == "xtensa":
            command, folder = xtensa_command(row, rom, None), Path(tmp, "files")
            folder.mkdir()
        else:
            raise BedError(f"{row.name} has no serial port to serve: use run")
        with Emulator(command, log, folder=folder) as emulator:
            emulator.connect().close()
            yield emulator


@contextlib.contextmanager
def serve(
    target: str,
    *,
    romfs: Path | None = None,
    flash: Path | None = None,
    journal: Path | None = None,
    serial: Path | None = None,
) -> Iterator[str]:
    """A board that a stock 'mpremote connect PORT' can use; its prompt has answered. Gives PORT.

    flash: a file that keeps the Pico's flash from one session to the next.
    journal: a file to which the Pico's flash operations are appended (pico/emu/pico.mjs).
    serial: a file for what crosses its serial port, and when (also there).
    """
    with served(find(target), romfs, flash, lambda data: None, journal, serial) as emulator:
        yield emulator.address
