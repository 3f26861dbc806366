"""Integer arithmetic as docs/NUMERICS.md defines it, on whole int64 arrays.

Values are int64 throughout, so nothing here can wrap unseen; `int32` states where the C needs a
result to fit 32 bits and refuses it if it does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Ints = NDArray[np.int64]
Array = NDArray[Any]
Params = Mapping[str, Any]


def ints(values: ArrayLike) -> Ints:
    """Anything numeric as int64."""
    return np.asarray(values).astype(np.int64)


def int32(values: ArrayLike, what: str) -> Ints:
    """The values, all of which must satisfy |value| < 2^31."""
    result = ints(values)
    if result.size and int(np.abs(result).max()) >= 2**31:
        raise OverflowError(f"{what} leaves 32 bits: {int(np.abs(result).max())}")
    return result


def wrap(values: ArrayLike) -> Ints:
    """Modulo 2^32, into [-2^31, 2^31)."""
    return ints(ints(values).astype(np.uint64).astype(np.uint32).view(np.int32))


def mul_high(a: ArrayLike, b: ArrayLike) -> Ints:
    """gemmlowp's SaturatingRoundingDoublingHighMul: a * b / 2^31 to the nearest, halves up.

    Written as there: a nudge by the sign, then a division toward zero. -2^31 * -2^31 saturates.
    """
    product = ints(a) * ints(b)
    nudged = product + np.where(product >= 0, 2**30, 1 - 2**30)
    quotient = np.sign(nudged) * (np.abs(nudged) >> 31)
    return ints(np.minimum(quotient, 2**31 - 1))


def round_shift(x: ArrayLike, n: ArrayLike) -> Ints:
    """x / 2^n to the nearest integer, halves away from zero."""
    value, bits = ints(x), ints(n)
    half = (np.int64(1) << bits) >> 1
    return ints(np.sign(value) * ((np.abs(value) + half) >> bits))


def requantize(x: ArrayLike, multiplier: ArrayLike, shift: ArrayLike) -> Ints:
    """x * multiplier * 2^(shift - 31) with two roundings; the left shift wraps."""
    bits = ints(shift)
    left, right = np.maximum(bits, 0), np.maximum(-bits, 0)
    return round_shift(mul_high(wrap(ints(x) << left), multiplier), right)


def shift_toward_zero(x: ArrayLike, n: int) -> Ints:
    """x / 2^n, its fraction dropped."""
    value = ints(x)
    return ints(np.sign(value) * (np.abs(value) >> min(n, 62)))


def put_clamped(values: Array, low: int, high: int, y: Array, clip: Array | None) -> None:
    """Write clamp(values) to y, and to clip one bit per element: 1 where nothing was clamped."""
    flat = values.reshape(-1)
    clamped = np.clip(flat, low, high)
    y[...] = clamped.reshape(y.shape).astype(np.int8)
    if clip is not None:
        bits = np.packbits(clamped == flat, bitorder="little")
        clip.reshape(-1).view(np.uint8)[: bits.size] = bits
