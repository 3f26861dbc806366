"""The structs of the kernels that live in memory, as numpy sees them."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

Bytes = NDArray[np.uint8]

# of the struct tt_grad: an int32 exponent, then the mantissas
_GRAD_HEADER: Final = 4


def grad_bytes(n: int) -> int:
    """Size of a gradient of n elements."""
    return _GRAD_HEADER + 2 * n


def grad_buffer(mantissa: ArrayLike, exponent: int = 0) -> Bytes:
    """A new gradient in memory: int32 exponent, int16 mantissas."""
    values = np.asarray(mantissa)
    if values.size and not -32768 <= values.min() <= values.max() <= 32767:
        raise ValueError("mantissas must fit int16")
    memory = np.zeros(_GRAD_HEADER + 2 * values.size, np.uint8)
    memory[:_GRAD_HEADER].view(np.int32)[0] = exponent
    grad_mantissa(memory)[:] = values.reshape(-1)
    return memory


def grad_exponent(memory: Bytes) -> int:
    """The exponent of a gradient in memory."""
    return int(memory[:_GRAD_HEADER].view(np.int32)[0])


def grad_mantissa(memory: Bytes) -> NDArray[np.int16]:
    """The mantissas of a gradient in memory, as a view."""
    return memory[_GRAD_HEADER:].view(np.int16)


def view(memory: NDArray[Any], dtype: type[np.generic], shape: tuple[int, ...]) -> NDArray[Any]:
    """The first elements of an array (of that type, or of raw memory) in a shape, as a view."""
    flat = memory.reshape(-1)
    n = int(np.prod(shape, dtype=np.int64))
    if flat.dtype == dtype:
        return flat[:n].reshape(shape)
    if flat.dtype != np.uint8:
        raise TypeError(f"expected {dtype.__name__} or raw memory (uint8), got {flat.dtype}")
    return flat[: n * np.dtype(dtype).itemsize].view(dtype).reshape(shape)
