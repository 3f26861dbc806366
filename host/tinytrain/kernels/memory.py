"""The structs of the kernels that live in memory, as numpy sees them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

Bytes = NDArray[np.uint8]

# of the struct tt_grad: an int32 exponent, then the mantissas
_GRAD_HEADER: Final = 4


_BITS: Final[ContextVar[int]] = ContextVar("gradient_bits", default=16)


@contextmanager
def gradient_bits(bits: int) -> Iterator[None]:
    """Inside, everything here and the reference kernels take mantissas to have 16 or 8 bits."""
    token = _BITS.set(bits)
    try:
        yield
    finally:
        _BITS.reset(token)


def mantissa_bits() -> int:
    """The width of mantissas here."""
    return _BITS.get()


def grad_bytes(n: int, bits: int | None = None) -> int:
    """Size of a gradient of n elements."""
    return _GRAD_HEADER + (bits or mantissa_bits()) // 8 * n


def grad_buffer(mantissa: ArrayLike, exponent: int = 0) -> Bytes:
    """A new gradient in memory: int32 exponent, then the mantissas."""
    values = np.asarray(mantissa)
    largest = (1 << (mantissa_bits() - 1)) - 1
    if values.size and not -largest - 1 <= values.min() <= values.max() <= largest:
        raise ValueError(f"mantissas must fit int{mantissa_bits()}")
    memory = np.zeros(grad_bytes(values.size), np.uint8)
    memory[:_GRAD_HEADER].view(np.int32)[0] = exponent
    grad_mantissa(memory)[:] = values.reshape(-1)
    return memory


def grad_exponent(memory: Bytes) -> int:
    """The exponent of a gradient in memory."""
    return int(memory[:_GRAD_HEADER].view(np.int32)[0])


def grad_mantissa(memory: Bytes) -> NDArray[Any]:
    """The mantissas of a gradient in memory, as a view."""
    return memory[_GRAD_HEADER:].view(np.int8 if mantissa_bits() == 8 else np.int16)


def view(memory: NDArray[Any], dtype: type[np.generic], shape: tuple[int, ...]) -> NDArray[Any]:
    """The first elements of an array (of that type, or of raw memory) in a shape, as a view."""
    flat = memory.reshape(-1)
    n = int(np.prod(shape, dtype=np.int64))
    if flat.dtype == dtype:
        return flat[:n].reshape(shape)
    if flat.dtype != np.uint8:
        raise TypeError(f"expected {dtype.__name__} or raw memory (uint8), got {flat.dtype}")
    return flat[: n * np.dtype(dtype).itemsize].view(dtype).reshape(shape)
