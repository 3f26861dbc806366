"""Tensors of a quantized graph: a name, a shape, a type, and what the integers mean."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

RESERVED = "#"
"""No tensor has this in its name: lowering names its own buffers with it (`d#x`, `step#x`)."""

ELEMENT_BYTES = {"int8": 1, "int32": 4}


@dataclass(frozen=True, slots=True)
class Quantization:
    """real = scale * (integer - zero_point).

    scale: one float32 value (held as a Python float), or one per index along `axis`.
    zero_point: one for all (0 where there are several scales).
    """

    scale: tuple[float, ...]
    zero_point: int = 0
    axis: int | None = None

    @property
    def per_tensor(self) -> float:
        """The only scale."""
        if len(self.scale) != 1:
            raise ValueError(f"{len(self.scale)} scales where one was expected")
        return self.scale[0]

    def channels(self, n: int) -> npt.NDArray[np.float64]:
        """The scales of n channels as float64 [n]."""
        return np.broadcast_to(np.asarray(self.scale, np.float64), (n,))


@dataclass(frozen=True, slots=True, eq=False)
class Tensor:
    """One value of the graph. `data` is there for constants only (weights and biases)."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    quant: Quantization
    data: npt.NDArray[np.int8] | npt.NDArray[np.int32] | None = None

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of the elements."""
        return self.size * ELEMENT_BYTES[self.dtype]

    @property
    def is_constant(self) -> bool:
        """Whether the values are known before anything runs."""
        return self.data is not None
