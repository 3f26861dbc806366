"""Two slots for checkpoints, as the module on a board keeps them: in files, or on a block device.

Files: the newest checkpoint is `path`, the one before `path~`. A save writes `path.new`, moves
`path` to `path~` and `path.new` to `path`; a power cut leaves the old or the new one at any moment.
Block devices: each half is a slot, and the one that is not the newest gets erased and written, its
first piece with the header last.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from tinytrain.codegen.checkpoint_file import HEADER, Checkpoint, is_newer
from tinytrain.errors import DataError

BLOCK_COUNT, BLOCK_SIZE, BLOCK_ERASE = 4, 5, 6  # operations of ioctl
PIECE_BYTES = 256  # written at once: a page of NOR flash
SMALL_BLOCK_BYTES = 512  # blocks up to this size are written as a whole, without an erase before


class BlockDevice(Protocol):
    """MicroPython's block device: `offset` is given for blocks of more than 512 bytes only."""

    def readblocks(self, block: int, buffer: bytearray, offset: int = 0, /) -> object:
        """Fill the buffer."""

    def writeblocks(self, block: int, buffer: bytearray, offset: int = 0, /) -> object:
        """Write the buffer; with an offset without erasing."""

    def ioctl(self, operation: int, argument: int, /) -> object:
        """4: number of blocks, 5: bytes of a block, 6: erase a block."""


Where = str | os.PathLike[str] | BlockDevice
Found = tuple[str | int, int]
"""Which slot (a path, or 0 and 1) and its sequence number."""


class Files(Protocol):
    """The files in which checkpoints lie: this machine's, or a board's."""

    def read(self, name: str) -> bytes | None:
        """A file; None if there is none of that name."""

    def write(self, name: str, data: bytes) -> None:
        """Write a file so that it is there when this returns."""

    def rename(self, old: str, new: str) -> None:
        """Move a file over another one, or to where none was."""


class HostFiles:
    """This machine's."""

    def read(self, name: str) -> bytes | None:
        """A file; None if there is none of that name."""
        try:
            return Path(name).read_bytes()
        except FileNotFoundError:
            return None

    def write(self, name: str, data: bytes) -> None:
        """Write a file and wait until the disk has it."""
        with Path(name).open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())

    def rename(self, old: str, new: str) -> None:
        """Move a file over another one."""
        Path(old).replace(new)


HERE = HostFiles()


def save(where: Where, model: int, state: bytes, files: Files = HERE) -> Found:
    """Store a state as the newest checkpoint."""
    if isinstance(where, str | os.PathLike):
        return _save_file(os.fspath(where), model, state, files)
    return _Flash(where, HEADER.size + len(state)).save(model, state)


def load(where: Where, model: int, size: int, files: Files = HERE) -> tuple[Found, bytes]:
    """The newest valid checkpoint of that model; FileNotFoundError if there is none at all,
    DataError if what there is cannot be used."""
    slots: list[bytes | None]
    names: tuple[str, str] | tuple[int, int]
    if isinstance(where, str | os.PathLike):
        paths = _names(os.fspath(where))
        names, slots = paths, [files.read(name) for name in paths]
    else:
        names = (0, 1)
        flash = _Flash(where, HEADER.size + size)
        slots = [flash.read(0), flash.read(1)]
    on_device = not isinstance(where, str | os.PathLike)
    newest, found, problem = newest_of(slots, model, size, erased=on_device)
    if newest is not None:
        return (names[found], newest.sequence), newest.state
    raise problem or FileNotFoundError(2, "no checkpoint", str(where))


def newest_of(
    slots: Sequence[bytes | None], model: int, size: int, *, erased: bool = False
) -> tuple[Checkpoint | None, int, DataError | None]:
    """The newest valid checkpoint and its index; without one what is wrong with the others.

    slots: None where there is no file. erased: slots that begin with only 0 or 1 bits are empty.
    """
    newest, found = None, 0
    problems: list[DataError] = []
    for index, data in enumerate(slots):
        if data is None or (erased and data[:4] in (b"\0" * 4, b"\xff" * 4)):
            continue
        try:
            checkpoint = Checkpoint.from_bytes(data)
            checkpoint.check(model, size)
        except DataError as error:
            problems.append(error)
            continue
        if newest is None or is_newer(checkpoint.sequence, newest.sequence):
            newest, found = checkpoint, index
    return newest, found, problems[0] if problems else None


def _names(path: str) -> tuple[str, str]:
    return path, f"{path}~"


def _next(newest: Checkpoint | None) -> int:
    return 1 if newest is None else (newest.sequence + 1) & 0xFFFFFFFF


def _save_file(path: str, model: int, state: bytes, files: Files) -> Found:
    current, previous = _names(path)
    slots = [files.read(current), files.read(previous)]
    newest, found, _ = newest_of(slots, model, len(state))
    fresh = Checkpoint(model, _next(newest), state)
    temporary = f"{path}.new"
    files.write(temporary, fresh.to_bytes())
    if newest is not None and found == 0:
        files.rename(current, previous)
    files.rename(temporary, current)
    return current, fresh.sequence


class _Flash:
    """The two slots of a block device, for checkpoints of `size` bytes."""

    def __init__(self, device: BlockDevice, size: int) -> None:
        if not hasattr(device, "readblocks"):
            raise DataError("checkpoint: path or block device expected")
        self.device, self.size = device, size
        count, self.block = (self._ask(BLOCK_COUNT), self._ask(BLOCK_SIZE))
        self.small = self.block <= SMALL_BLOCK_BYTES
        self.piece = self.block if self.small else PIECE_BYTES
        if self.block < HEADER.size or self.block & (self.block - 1):
            raise DataError(f"checkpoint: blocks of {self.block} bytes cannot be used")
        self.blocks, self.slot = -(-size // self.block), count // 2
        if self.blocks > self.slot:
            raise DataError(
                f"checkpoint: {2 * self.blocks} blocks of {self.block} bytes needed, {count} there"
            )

    def _ask(self, operation: int) -> int:
        value = self.device.ioctl(operation, 0)
        if not isinstance(value, int):
            raise DataError(f"checkpoint: ioctl({operation}) must give a number, not {value!r}")
        return value

    def _place(self, slot: int, number: int) -> tuple[int, ...]:
        """Block, and offset where there is one, of a slot's piece."""
        block, offset = divmod(number * self.piece, self.block)
        block += slot * self.slot
        return (block,) if self.small else (block, offset)

    def read(self, slot: int) -> bytes:
        """All pieces of a slot."""
        data = bytearray()
        for number in range(-(-self.size // self.piece)):
            block, *offset = self._place(slot, number)
            piece = bytearray(self.piece)
            self._done(self.device.readblocks(block, piece, *offset))
            data += piece
        return bytes(data)

    def save(self, model: int, state: bytes) -> Found:
        """Into the slot that is not the newest."""
        newest, found, _ = newest_of([self.read(0), self.read(1)], model, len(state), erased=True)
        slot = 1 - found if newest is not None else 0
        fresh = Checkpoint(model, _next(newest), state)
        data = fresh.to_bytes()
        if not self.small:
            for block in range(self.blocks):
                self.device.ioctl(BLOCK_ERASE, slot * self.slot + block)
        for number in (*range(1, -(-len(data) // self.piece)), 0):
            piece = bytearray(data[number * self.piece : (number + 1) * self.piece])
            piece += b"\xff" * (self.piece - len(piece))
            block, *offset = self._place(slot, number)
            self._done(self.device.writeblocks(block, piece, *offset))
        return slot, fresh.sequence

    @staticmethod
    def _done(result: object) -> None:
        if isinstance(result, int) and not isinstance(result, bool) and result != 0:
            raise OSError(5, "the block device failed")
