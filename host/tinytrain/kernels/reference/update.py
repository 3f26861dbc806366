"""The learning rate, and the update of trained parameters with dithered rounding."""

from __future__ import annotations

import math

import numpy as np

from tinytrain.kernels.header import declarations
from tinytrain.kernels.memory import Bytes, view
from tinytrain.kernels.reference.arithmetic import Array, Ints, int32, ints

DITHER_PER_STEP = 0x9E3779B9  # 2^32 * frac(golden ratio)
DITHER_PER_UPDATE = 0x6A09E667  # 2^32 * frac(sqrt(2))
DELTA_LIMIT = 2**28

Factor = tuple[int, int]
"""mantissa * 2^exponent."""


def rate_set(rate: Bytes, float_bits: int) -> None:
    """Bits of an IEEE single -> mantissa in [2^14, 2^15) and exponent; subnormals count as 0."""
    value = float(np.array([float_bits], np.uint32).view(np.float32)[0])
    fraction, exponent = math.frexp(value)
    mantissa = math.floor(fraction * 2**15 + 0.5)
    if value < 2.0**-126:
        mantissa, exponent = 0, 15
    elif mantissa == 2**15:
        mantissa, exponent = 2**14, exponent + 1
    view(rate, np.int32, (3,))[:2] = (mantissa, exponent - 15)


def rate_begin(rate: Bytes, step: int) -> None:
    """dither = step * DITHER_PER_STEP mod 2^32."""
    view(rate, np.uint32, (3,))[2] = step * DITHER_PER_STEP % 2**32


def loss_bits(value: int) -> int:
    """value * 2^-20 with its first 24 bits, as the bits of an IEEE single."""
    extra = max(0, value.bit_length() - 24)
    single = np.array([math.ldexp(value >> extra << extra, -20)], np.float32)
    return int(single.view(np.uint32)[0])


def step_of(rate: Factor, factor: Factor, bits: int) -> tuple[int, int]:
    """(m, s): an update in units of 2^-bits is sum * m / 2^s; m is 0 or in [2^14, 2^15)."""
    product = rate[0] * factor[0]
    drop = 15  # of the product's bits, halves up; 14 if that leaves less than 15 bits
    if (product + 2**14) >> 15 < 2**14:
        drop = 14
    return (product + 2 ** (drop - 1)) >> drop, -(drop + bits + rate[1] + factor[1])


def deltas(rate: Bytes, mantissa: Array, exponent: Array, sums: Ints) -> Ints:
    """Updates in units of 2^-8 for sums [channels, parameters of a channel]; advances the dither.

    floor(sum * m / 2^s + u), u in [0, 1) from the dither, limited to +-2^28. From |sum| = 2^15 on,
    sum * m / 2^16 is rounded down first.
    """
    int32(sums, "a parameter's gradient")
    memory = view(rate, np.uint32, (3,))
    count = np.arange(1, sums.size + 1, dtype=np.uint64).reshape(sums.shape)
    dither = (np.uint64(memory[2]) + count * np.uint64(DITHER_PER_UPDATE)) % np.uint64(2**32)
    result = np.empty_like(sums)
    lr = int(memory.view(np.int32)[0]), int(memory.view(np.int32)[1])
    for o in range(len(sums)):
        factor = int(mantissa[o]), int(exponent[o])
        m, s = step_of(lr, factor, declarations().constants["TT_FRACTION_BITS"])
        for i in range(sums.shape[1]):
            result[o, i] = delta_of(int(sums[o, i]), m, s, int(dither[o, i]))
    memory[2] = (int(memory[2]) + sums.size * DITHER_PER_UPDATE) % 2**32
    return result


def delta_of(total: int, m: int, s: int, dither: int) -> int:
    """The update of one parameter for a dither in units of 2^-32."""
    product = total * m
    if abs(total) >= 2**15:
        product, s = product >> 16, s - 16
    if s > 30:
        product, s = product >> min(s - 30, 31), 30
    delta = (product + (dither >> (32 - s))) >> s if s > 0 else product << -s
    return max(-DELTA_LIMIT, min(DELTA_LIMIT, delta))


def subtract(delta: Ints, values: Array, fraction: Array, limit: int) -> None:
    """values + fraction / 2^8 -= delta / 2^8, in place.

    The fraction is kept in [-2^7, 2^7), so the value is the nearest integer. Values saturate at
    +-limit, with a fraction of 0. What has delta 0 stays as it is, beyond the limit too.
    """
    rest = ints(fraction) - delta
    carry = (rest + 128) >> 8
    end = ints(values) + carry
    saturated = np.abs(end) > limit
    moves = delta != 0
    values[...] = np.where(moves, np.clip(end, -limit, limit), values)
    fraction[...] = np.where(moves, np.where(saturated, 0, rest - 256 * carry), fraction)
