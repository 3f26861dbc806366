"""The self-test vector of a build: a fixed input, and what the host makes of it, bit for bit."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from tinytrain.errors import BoardError

FORMAT = 1


@dataclass(frozen=True, slots=True)
class SelfTest:
    """predict(x) of the untrained model is `output`; then step(x, label) for each label, or
    step(x, target) as often if there is a target, at this learning rate, gives these losses (bits
    of IEEE 754 singles) and a state of this length and CRC.
    """

    x: bytes
    output: bytes
    lr: float
    labels: tuple[int, ...]
    losses: tuple[int, ...]
    state_bytes: int
    state_crc: int
    target: bytes = b""

    @classmethod
    def of(
        cls,
        x: Any,
        output: Any,
        labels: Sequence[int],
        lr: float,
        losses: Sequence[float],
        state: bytes,
        target: bytes = b"",
    ) -> Self:
        """From what a simulated Trainer took and gave; x and output: int8 arrays or bytes."""
        return cls(
            bytes(x) if isinstance(x, bytes) else x.tobytes(),
            bytes(output) if isinstance(output, bytes) else output.tobytes(),
            lr,
            tuple(labels),
            tuple(float_bits(loss) for loss in losses),
            len(state),
            zlib.crc32(state),
            target,
        )

    def to_json(self) -> str:
        """As text: bytes in base64, bits and CRC in hexadecimal."""
        fields = {
            "format": FORMAT,
            "x": base64.b64encode(self.x).decode(),
            "output": base64.b64encode(self.output).decode(),
            "lr": self.lr,
            "labels": list(self.labels),
            "losses": [f"{bits:08x}" for bits in self.losses],
            "state_bytes": self.state_bytes,
            "state_crc": f"{self.state_crc:08x}",
            "target": base64.b64encode(self.target).decode(),
        }
        return json.dumps(fields, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read to_json()'s text."""
        try:
            fields = json.loads(text)
            if fields["format"] != FORMAT:
                raise ValueError(f"format {fields['format']}, expected {FORMAT}")
            return cls(
                base64.b64decode(fields["x"], validate=True),
                base64.b64decode(fields["output"], validate=True),
                float(fields["lr"]),
                tuple(map(int, fields["labels"])),
                tuple(int(bits, 16) for bits in fields["losses"]),
                int(fields["state_bytes"]),
                int(fields["state_crc"], 16),
                base64.b64decode(fields["target"], validate=True),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise BoardError(f"selftest.json cannot be read ({error}); build again") from error


def float_bits(value: float) -> int:
    """The IEEE 754 single of a number, as bits."""
    (bits,) = struct.unpack("<I", struct.pack("<f", value))
    return int(bits)
