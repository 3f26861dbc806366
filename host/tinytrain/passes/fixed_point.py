"""Real factors as integers: the host side of docs/NUMERICS.md."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

INT32_MAX = 2**31 - 1


def round_half_away(x: float) -> int:
    """Round to the nearest integer, halves away from zero (C's round)."""
    return math.floor(x + 0.5) if x >= 0 else math.ceil(x - 0.5)


def quantize_multiplier(real: float) -> tuple[int, int]:
    """real as (multiplier, shift): multiplier * 2^(shift - 31), multiplier in [2^30, 2^31).

    As TFLM's QuantizeMultiplier: 0 stays 0, what is below 2^-32 becomes 0.
    """
    if real == 0:
        return 0, 0
    fraction, shift = math.frexp(real)
    multiplier = round_half_away(fraction * 2**31)
    if multiplier == 2**31:
        multiplier //= 2
        shift += 1
    return (0, 0) if shift < -31 else (multiplier, shift)


def multipliers(reals: Iterable[float]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int8]]:
    """quantize_multiplier for many: int32 multipliers and int8 shifts."""
    pairs = [quantize_multiplier(r) for r in reals]
    return (
        np.array([m for m, _ in pairs], np.int32),
        np.array([s for _, s in pairs], np.int8),
    )


def normalize15(real: float) -> tuple[int, int]:
    """real >= 0 as (mantissa, exponent): mantissa * 2^exponent, mantissa 0 or in [2^14, 2^15).

    The exponent is kept within int8: factors that small or large come from dead channels, whose
    updates saturate or vanish anyway.
    """
    if real <= 0 or not math.isfinite(real):
        return 0, 0
    fraction, exponent = math.frexp(real)
    mantissa = round_half_away(fraction * 2**15)
    if mantissa == 2**15:
        mantissa //= 2
        exponent += 1
    return mantissa, max(-127, min(127, exponent - 15))


def steps(reals: Iterable[float]) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.int8]]:
    """normalize15 for many: uint16 mantissas and int8 exponents."""
    pairs = [normalize15(r) for r in reals]
    return (
        np.array([m for m, _ in pairs], np.uint16),
        np.array([e for _, e in pairs], np.int8),
    )


def common_exponent(
    reals: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.uint16], int]:
    """Reals >= 0 as uint16 values <= 2^15 and one exponent: real = value * 2^(exponent - 15)."""
    largest = float(reals.max(initial=0.0))
    if largest <= 0:
        return np.zeros(len(reals), np.uint16), 0
    exponent = math.frexp(largest)[1]
    values = np.floor(np.ldexp(reals, 15 - exponent) + 0.5)
    return values.astype(np.uint16), exponent


def below_power_of_two(bound: int) -> int:
    """The largest 2^k - 1 that is at most `bound` and at most 32767."""
    return min(32767, (1 << (bound + 1).bit_length() - 1) - 1)


def reciprocal(count: int) -> tuple[int, int]:
    """1 / count as (value, bits): value * 2^-bits, value in (2^14, 2^15]."""
    bits = 15 + count.bit_length() - 1
    return ((1 << bits) + count // 2) // count, bits
