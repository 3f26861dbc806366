"""Trained parameters between a board and this machine: `tinytrain pull` and `push`."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tinytrain.backend.connection import Board, connect
from tinytrain.build import open_build
from tinytrain.codegen.checkpoint_file import Checkpoint
from tinytrain.compilation import Compiled
from tinytrain.errors import BoardError, BuildError, DataError
from tinytrain.exporters.graph import graph_to_tflite
from tinytrain.exporters.trained import with_state
from tinytrain.sim.checkpoint import Found, load, save

TRAINED = "trained"  # .tts and .tflite, in the build folder
DEVICE_MODULES = ("rp2", "esp32", "pyb", "machine", "vfs")  # what an expression may name


@dataclass(frozen=True, slots=True)
class Pulled:
    """Which slot it was, and the files it became."""

    slot: Found
    checkpoint: Path
    model: Path


class _BoardFiles:
    """A board's files, for checkpoints."""

    def __init__(self, board: Board) -> None:
        self.board = board

    def read(self, name: str) -> bytes | None:
        return self.board.read_file(name)

    def write(self, name: str, data: bytes) -> None:
        self.board.write_file(name, data)

    def rename(self, old: str, new: str) -> None:
        self.board.run(f"import os\nos.rename({old!r}, {new!r})", f"renaming {old}")


class _BoardDevice:
    """A block device of a board, by an expression such as rp2.Flash(start=0, len=65536)."""

    def __init__(self, board: Board, expression: str) -> None:
        self.board = board
        imports = (f"try:\n import {m}\nexcept ImportError:\n pass" for m in DEVICE_MODULES)
        board.run("\n".join((*imports, "import binascii", f"_dev = {expression}")), expression)

    def readblocks(self, block: int, buffer: bytearray, offset: int | None = None, /) -> None:
        text = self.board.run(
            f"_buf = bytearray({len(buffer)})\n_dev.readblocks({_arguments(block, offset)})\n"
            "print(str(binascii.b2a_base64(_buf), 'ascii'))",
            "reading blocks",
        )
        buffer[:] = base64.b64decode(text)

    def writeblocks(self, block: int, buffer: bytearray, offset: int | None = None, /) -> None:
        self.board.run(
            f"_buf = binascii.a2b_base64('{base64.b64encode(buffer).decode()}')\n"
            f"_dev.writeblocks({_arguments(block, offset)})",
            "writing blocks",
        )

    def ioctl(self, operation: int, argument: int, /) -> int:
        said = self.board.run(f"print(_dev.ioctl({operation}, {argument}))", "asking the device")
        return int(said) if said.lstrip("-").isdigit() else 0


def _arguments(block: int, offset: int | None) -> str:
    return f"{block}, _buf" if offset is None else f"{block}, _buf, {offset}"


@contextmanager
def _explained(what: str) -> Iterator[None]:
    """What a missing or foreign checkpoint means here."""
    try:
        yield
    except FileNotFoundError as error:
        raise BoardError(
            f"{what}: no checkpoint on the board; let it call trainer.save({what!r}) first"
        ) from error
    except DataError as error:
        raise BoardError(f"{what} on the board: {error}; is it of this build?") from error


def pull(
    build_dir: Path, port: str | None = None, *, path: str = "model.tts", device: str = ""
) -> Pulled:
    """Bring the newest checkpoint of a board to the build folder, as it is and as a .tflite.

    path: of the checkpoint on the board; device: instead of it, an expression of the board's Python
    for the block device that was given to `save`.
    """
    compiled = _trainable(build_dir)
    whose, size = compiled.source.state_hash, compiled.program.state_bytes
    with connect(port) as board, _explained(device or path):
        where = _BoardDevice(board, device) if device else path
        slot, state = load(where, whose, size, _BoardFiles(board))
    trained = with_state(compiled.graph, compiled.program.state, state)
    files = {
        ".tts": Checkpoint(whose, slot[1], state).to_bytes(),
        ".tflite": graph_to_tflite(trained),
    }
    for suffix, data in files.items():
        new = build_dir / f"{TRAINED}{suffix}.new"
        new.write_bytes(data)
        new.replace(build_dir / f"{TRAINED}{suffix}")
    return Pulled(slot, build_dir / f"{TRAINED}.tts", build_dir / f"{TRAINED}.tflite")


def push(
    build_dir: Path,
    port: str | None = None,
    *,
    checkpoint: Path | None = None,
    path: str = "model.tts",
    device: str = "",
) -> Found:
    """Store a checkpoint (default: what `pull` wrote) on a board, as its newest one.

    What is there stays as the one before; a checkpoint of another model is refused.
    """
    compiled = _trainable(build_dir)
    whose, size = compiled.source.state_hash, compiled.program.state_bytes
    source = checkpoint or build_dir / f"{TRAINED}.tts"
    try:
        data = source.read_bytes()
    except OSError as error:
        raise DataError(f"{source}: {error.strerror}; `tinytrain pull` writes one") from error
    try:
        ready = Checkpoint.from_bytes(data)
        ready.check(whose, size)
    except DataError as error:
        raise DataError(f"{source}: {error}") from error
    with connect(port) as board, _explained(device or path):
        where = _BoardDevice(board, device) if device else path
        files = _BoardFiles(board)
        slot = save(where, whose, ready.state, files)
        if load(where, whose, size, files) != (slot, ready.state):
            raise BoardError(f"{device or path}: the board does not give back what was written")
    return slot


def _trainable(build_dir: Path) -> Compiled:
    compiled = open_build(build_dir)
    if compiled.program.loss is None:
        raise BuildError(f"{build_dir}: the build only predicts; it has no trained parameters")
    return compiled
