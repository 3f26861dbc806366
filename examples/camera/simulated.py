"""The simulator's Trainer with buffers of bytes for arguments, as the board's takes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tinytrain.compilation import Compiled
from tinytrain.sim.trainer import Trainer


def int8(buffer: bytes | bytearray) -> NDArray[np.int8]:
    """The same bytes as an array."""
    return np.frombuffer(buffer, np.int8)


class BoardTrainer:
    """What learner.py needs of a Trainer. cache: outputs of `encode` that are known already."""

    def __init__(self, compiled: Compiled, cache: dict[bytes, bytes] | None = None) -> None:
        self.trainer = Trainer(compiled)
        self.input_shape = self.trainer.input_shape
        self.latent_size, self.classes = self.trainer.latent_size, self.trainer.classes
        self.output_scale = self.trainer.output_scale
        self.output_zero_point = self.trainer.output_zero_point
        self._cache = {} if cache is None else cache

    @property
    def lr(self) -> float:
        """The learning rate."""
        return float(self.trainer.lr)

    @lr.setter
    def lr(self, value: float) -> None:
        self.trainer.lr = value

    def quantize(self, pixels: bytearray, out: bytearray) -> bytearray:
        """Pixels to the input."""
        self.trainer.quantize(np.frombuffer(pixels, np.uint8), int8(out))
        return out

    def encode(self, x: bytearray, out: bytearray) -> bytearray:
        """Input to latent; what does not depend on training need not be computed twice."""
        key = bytes(x)
        if key not in self._cache:
            self._cache[key] = self.trainer.encode(int8(x)).tobytes()
        out[:] = self._cache[key]
        return out

    def save(self, path: str) -> None:
        """Write a checkpoint."""
        self.trainer.save(Path(path))

    def load(self, path: str) -> None:
        """Take one."""
        self.trainer.load(Path(path))

    def reset(self) -> None:
        """Forget all training."""
        self.trainer.reset()

    def step(self, x: bytearray, y: int, *, latent: bool = False) -> float:
        """One step."""
        return self.trainer.step(int8(x), y, latent=latent)

    def predict(self, x: bytearray, out: bytearray, *, latent: bool = False) -> bytearray:
        """Input, by way of its latent, to output: the same bits."""
        if not latent and self.latent_size:
            latent, x = True, self.encode(x, bytearray(self.latent_size))
        self.trainer.predict(int8(x), int8(out), latent=latent)
        return out
