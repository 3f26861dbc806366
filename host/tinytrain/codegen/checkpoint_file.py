"""A checkpoint (.tts): a header of 32 bytes (tt_checkpoint_header in mpy_module) and the state."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import Self

from tinytrain.errors import DataError

HEADER = struct.Struct("<4s7I")
MAGIC = b"TTST"
VERSION = 1


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The trained parameters of the model with this state hash; a higher sequence is newer."""

    model: int
    sequence: int
    state: bytes

    def to_bytes(self) -> bytes:
        """As it is stored; the header has a CRC of its own, after that of the state."""
        words = (self.model & 0xFFFFFFFF, self.model >> 32, self.sequence, len(self.state))
        head = struct.pack("<4s6I", MAGIC, VERSION, *words, zlib.crc32(self.state))
        return head + struct.pack("<I", zlib.crc32(head)) + self.state

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read a checkpoint, of whatever model; DataError if it is none, or damaged.

        What follows the state is ignored: the slots of a flash region are larger.
        """
        if len(data) < HEADER.size or data[:4] != MAGIC:
            raise DataError("checkpoint: not a .tts file")
        _, version, low, high, sequence, size, crc, header_crc = HEADER.unpack_from(data)
        if zlib.crc32(data[: HEADER.size - 4]) != header_crc:
            raise DataError("checkpoint: damaged (CRC of the header differs)")
        if version != VERSION:
            raise DataError(
                f"checkpoint: of version {version}, this tinytrain reads {VERSION}; update it"
            )
        state = data[HEADER.size : HEADER.size + size]
        if len(state) != size or zlib.crc32(state) != crc:
            raise DataError("checkpoint: damaged (cut short, or the CRC of the state differs)")
        return cls(high << 32 | low, sequence, state)

    def check(self, model: int, size: int) -> None:
        """DataError if this is not a checkpoint of that model, with that many bytes of state."""
        if self.model != model or len(self.state) != size:
            raise DataError(
                f"checkpoint: of another model or update scheme (hash {self.model:016x}, "
                f"{len(self.state):,} bytes; expected {model:016x}, {size:,} bytes)"
            )


def is_newer(a: int, b: int) -> bool:
    """Whether sequence number a comes after b; they wrap around at 2^32."""
    return 0 < (a - b) & 0xFFFFFFFF < 1 << 31
