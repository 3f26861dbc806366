"""model.ttw: a header of 32 bytes (tt_weights_header in mpy_module/tt_model.h) and the payload."""

from __future__ import annotations

import struct
import zlib

from tinytrain.ir.program import Program
from tinytrain.kernels.header import declarations

HEADER = struct.Struct("<4sIIIIIII")
MAGIC = b"TTW1"


def weights_file(program: Program, model_hash: int) -> bytes:
    """The file as bytes; readable by every build with the same hash."""
    payload = program.weights.tobytes()
    header = HEADER.pack(
        MAGIC,
        declarations().constants["TT_ABI"],
        model_hash & 0xFFFFFFFF,
        model_hash >> 32,
        len(payload),
        zlib.crc32(payload),
        0,
        0,
    )
    return header + payload
