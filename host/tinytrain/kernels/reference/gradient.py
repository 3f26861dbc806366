"""Gradients: int16 or int8 mantissas under one power of two, normalized to a limit."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from tinytrain.kernels.header import declarations
from tinytrain.kernels.memory import Bytes, grad_exponent, grad_mantissa, mantissa_bits
from tinytrain.kernels.reference.arithmetic import (
    Array,
    Ints,
    Params,
    int32,
    ints,
    shift_toward_zero,
)


def mantissas(grad: Bytes, shape: tuple[int, ...]) -> Ints:
    """The mantissas of a gradient in memory, copied to int64."""
    n = int(np.prod(shape, dtype=np.int64))
    return ints(grad_mantissa(grad)[:n]).reshape(shape)


def put(grad: Bytes, sums: ArrayLike, limit: int, exponent: int) -> None:
    """Write sums * 2^exponent: divided by the power of two that brings the largest under the limit.

    The limit is 2^k - 1. Of int16 mantissas fractions are dropped (toward zero), int8 ones are
    rounded, at a third or at two thirds; small values are multiplied.
    """
    values = int32(sums, "a gradient's sum").reshape(-1)
    if limit <= 0 or limit & (limit + 1):
        raise ValueError(f"the limit {limit} is not 2^k - 1")
    largest = int(np.abs(values).max(initial=0))
    down = largest.bit_length() - limit.bit_length()
    if mantissa_bits() == 8 and down > 0 and largest >> down == limit:
        down += 1  # there is no room for rounding up
    if down <= 0:
        scaled = values << -down
    elif mantissa_bits() == 8:
        scaled = round_shift_near(values, down)
    else:
        scaled = shift_toward_zero(values, down)
    grad_mantissa(grad)[: values.size] = scaled
    zero = declarations().constants["TT_ZERO_EXPONENT"]
    grad[:4].view(np.int32)[0] = zero if largest == 0 else exponent + down


def round_shift_near(values: Ints, n: int) -> Ints:
    """values / 2^n: magnitudes rounded up from a third or from two thirds on, by their index.

    What is added are the last n bits of ...0101 or ...1010, so that a shift by a and then by b is a
    shift by a + b.
    """
    hashed = (np.arange(values.size, dtype=np.uint64) * np.uint64(0x9E3779B9)) >> np.uint64(31)
    pattern = np.where(hashed & np.uint64(1), 0x55555555, 0xAAAAAAAA)
    added = pattern & ((1 << n) - 1)
    return ints(np.sign(values) * ((np.abs(values) + added) >> n))


ALIGN_BITS = {16: 0, 8: 16}
"""By width of mantissas: bits by which they are shifted up before two gradients are aligned."""


def clip_bwd(p: Params, dy: Bytes, clip: Array, dx: Bytes) -> None:
    """dx = dy where the clip bit is 1, else 0."""
    size = p["size"]
    kept = np.unpackbits(clip.reshape(-1).view(np.uint8), bitorder="little")[:size]
    put(dx, mantissas(dy, (size,)) * kept, p["limit"], grad_exponent(dy))


def grad_add(p: Params, a: Bytes, b: Bytes, y: Bytes) -> None:
    """y = a + b; what lies below the common exponent is first shifted toward zero."""
    up = ALIGN_BITS[mantissa_bits()]
    exponent = max(grad_exponent(a), grad_exponent(b)) - up
    terms = [
        shift_toward_zero(mantissas(g, (p["size"],)) << up, exponent + up - grad_exponent(g))
        for g in (a, b)
    ]
    put(y, terms[0] + terms[1], p["limit"], exponent)
