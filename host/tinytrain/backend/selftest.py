"""The self-test vector of a build: a fixed input, and what the host makes of it, bit for bit."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from tinytrain.errors import BoardError

FORMAT = 2


@dataclass(frozen=True, slots=True)
class SelfTest:
    """predict(x) of the untrained model is `output`; then step(x, label) for each label, or
    step(x, target) as often if there is a target, at this learning rate, gives these losses (bits
    of IEEE 754 singles), and a state of this length with these CRCs, one after each step.

    files: SHA-256 of the build's files, by name; what differs is not sent to a board.
    checkpoint_crc: of the first checkpoint saved after the last step.
    """

    x: bytes
    output: bytes
    lr: float
    labels: tuple[int, ...]
    losses: tuple[int, ...]
    state_bytes: int
    state_crcs: tuple[int, ...]
    target: bytes = b""
    files: Mapping[str, str] = field(default_factory=dict)
    checkpoint_crc: int = 0

    @classmethod
    def of(
        cls,
        x: Any,
        output: Any,
        labels: Sequence[int],
        lr: float,
        losses: Sequence[float],
        states: Sequence[bytes],
        target: bytes = b"",
        files: Mapping[str, bytes] | None = None,
        checkpoint: bytes = b"",
    ) -> Self:
        """From what a simulated Trainer took and gave; x and output: int8 arrays or bytes; states:
        after each step; files: contents by name."""
        return cls(
            bytes(x) if isinstance(x, bytes) else x.tobytes(),
            bytes(output) if isinstance(output, bytes) else output.tobytes(),
            lr,
            tuple(labels),
            tuple(float_bits(loss) for loss in losses),
            len(states[-1]) if states else 0,
            tuple(zlib.crc32(state) for state in states),
            target,
            {name: hashlib.sha256(data).hexdigest() for name, data in (files or {}).items()},
            zlib.crc32(checkpoint),
        )

    def check_file(self, name: str, data: bytes) -> None:
        """BoardError if these are not the bytes that the build wrote."""
        expected = self.files.get(name)
        if expected is None or hashlib.sha256(data).hexdigest() != expected:
            raise BoardError(
                f"{name} is damaged or of another build than selftest.json (SHA-256 differs); "
                "build again"
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
            "state_crcs": [f"{crc:08x}" for crc in self.state_crcs],
            "target": base64.b64encode(self.target).decode(),
            "files": dict(self.files),
            "checkpoint_crc": f"{self.checkpoint_crc:08x}",
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
                tuple(int(crc, 16) for crc in fields["state_crcs"]),
                base64.b64decode(fields["target"], validate=True),
                {str(name): str(digest) for name, digest in fields["files"].items()},
                int(fields["checkpoint_crc"], 16),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise BoardError(f"selftest.json cannot be read ({error}); build again") from error


def float_bits(value: float) -> int:
    """The IEEE 754 single of a number, as bits."""
    (bits,) = struct.unpack("<I", struct.pack("<f", value))
    return int(bits)
