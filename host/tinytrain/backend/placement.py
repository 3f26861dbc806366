"""Where the weights go on a board: read in place from ROMFS or raw flash, or from a file to RAM."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tinytrain.backend.connection import Board
from tinytrain.backend.romfs import image_bytes, make_image, read_image
from tinytrain.errors import BoardError

PLACES = ("romfs", "flash", "file")
NAME = "model.ttw"
MPREMOTE_SECONDS = 900

# Prints the size of the first ROMFS partition (0: none), and the room behind the file system in
# rp2.Flash: start, size (0: none) and all of it. The file system must be a LittleFS at its start.
QUERY = """
import os
try:
    import vfs
    _d = vfs.rom_ioctl(2, 0) if vfs.rom_ioctl(1) > 0 else -1
except (ImportError, AttributeError):
    _d = -1
if isinstance(_d, int):
    print(0)
else:
    print(_d.ioctl(4, 0) * _d.ioctl(5, 0) if hasattr(_d, "ioctl") else len(_d))
try:
    import rp2
    _f = rp2.Flash()
    _n = _f.ioctl(4, 0) * _f.ioctl(5, 0)
    _s = os.statvfs("/")
    _u = (_s[1] * _s[2] + 4095) & ~4095
    print(_u if bytes(memoryview(_f)[8:16]) == b"littlefs" else _n, _n)
except ImportError:
    print(0, 0)
"""


@dataclass(frozen=True, slots=True)
class Room:
    """What a board has for weights: bytes of ROMFS (0: none), and of rp2.Flash where the file
    system ends and where the flash does (equal: no room; both 0: there is no rp2.Flash)."""

    romfs_bytes: int
    flash_start: int
    flash_end: int


@dataclass(frozen=True, slots=True)
class Placement:
    """Where weights lie, why, and the Trainer's argument as an expression of the board's Python."""

    place: str
    why: str
    expression: str


def room_of(board: Board) -> Room:
    """Ask the board."""
    numbers = board.run(QUERY, "asking where weights can lie").split()
    return Room(*map(int, numbers))


def rom_image(board: Board, room: Room) -> bytes:
    """The image in the board's ROMFS now; nothing if there is none."""
    if not room.romfs_bytes:
        return b""
    board.run("import vfs\n_d = vfs.rom_ioctl(2, 0)", "opening the ROMFS")
    size = image_bytes(board.get("_d", min(16, room.romfs_bytes)))
    if size is None or size > room.romfs_bytes:
        return b""
    return board.get("_d", size)


def choose(room: Room, weights: bytes, wanted: str, image: bytes | None) -> Placement:
    """wanted: one of PLACES, or "auto": the first that there is. image: for the ROMFS."""
    reasons = {
        "romfs": _why_not_romfs(room, image),
        "flash": _why_not_flash(room, weights),
        "file": "",
    }
    if wanted != "auto":
        if reasons[wanted]:
            raise BoardError(f"--weights {wanted}: {reasons[wanted]}; leave it to --weights auto")
        return _placement(room, wanted, "as asked for")
    place = next(p for p in PLACES if not reasons[p])
    passed = "; ".join(reasons[p] for p in PLACES[: PLACES.index(place)])
    gain = "" if place == "file" else "read in place, no copy in RAM"
    return _placement(room, place, gain or f"read into RAM, because {passed}")


def _why_not_romfs(room: Room, image: bytes | None) -> str:
    if not room.romfs_bytes or image is None:
        return "this firmware has no ROMFS"
    if len(image) > room.romfs_bytes:
        return (
            f"the ROMFS has {room.romfs_bytes:,} bytes, {len(image):,} are needed with what is "
            "there already"
        )
    return ""


def _why_not_flash(room: Room, weights: bytes) -> str:
    if not room.flash_end:
        return "raw flash can be read in place through rp2.Flash only, which this board lacks"
    free = room.flash_end - room.flash_start
    if free < len(weights):
        return (
            f"the file system ends {free:,} bytes before the end of rp2.Flash, {len(weights):,} "
            "are needed"
        )
    return ""


def _placement(room: Room, place: str, why: str) -> Placement:
    expression = {
        "romfs": f"'{NAME}'",  # which is found there from any folder
        "flash": f"memoryview(__import__('rp2').Flash(start={room.flash_start}))",
        "file": f"'{NAME}'",
    }[place]
    return Placement(place, why, expression)


def write_flash(board: Board, room: Room, data: bytes) -> None:
    """Write to rp2.Flash behind the file system, sector by sector."""
    sector = 4096
    board.run(f"import rp2\n_f = rp2.Flash(start={room.flash_start})", "opening the flash")
    board.run(f"_b = bytearray({sector})", "making a buffer")
    for number in range(-(-len(data) // sector)):
        board.put("_b", data[number * sector : (number + 1) * sector].ljust(sector, b"\xff"))
        board.run(f"_f.writeblocks({number}, _b)", "writing the flash")
    board.run("del _b, _f", "closing the flash")


def image_with(image: bytes, weights: bytes) -> bytes:
    """A ROMFS image with the files of another one (nothing: of none) and the weights."""
    return make_image({**(read_image(image) if image else {}), NAME: weights})


def write_romfs(device: str, image: bytes, say: Callable[[str], None]) -> None:
    """Deploy an image with mpremote, which must be able to open the port."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "image.romfs")
        path.write_bytes(image)
        words = ["-m", "mpremote", "connect", device, "romfs", "deploy", str(path)]
        try:
            result = subprocess.run(
                [sys.executable, *words],
                capture_output=True,
                text=True,
                check=False,
                timeout=MPREMOTE_SECONDS,
            )
        except subprocess.TimeoutExpired as error:
            raise BoardError(
                f"mpremote romfs deploy took longer than {MPREMOTE_SECONDS} s; reset the board"
            ) from error
    if result.returncode or "deployed" not in result.stdout:
        said = (result.stdout + result.stderr).strip().splitlines()
        reason = said[-1] if said else "no word"
        raise BoardError(f"mpremote romfs deploy failed: {reason}; --weights file does without")
    say(f"mpremote: {result.stdout.strip().splitlines()[-1]}, {len(image):,} bytes")
