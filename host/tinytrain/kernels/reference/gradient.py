"""Gradients: int16 mantissas under one power of two, normalized to a limit."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from tinytrain.kernels.header import declarations
from tinytrain.kernels.memory import Bytes, grad_exponent, grad_mantissa
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

    The limit is 2^k - 1. Fractions are dropped (toward zero); small values are multiplied.
    """
    values = int32(sums, "a gradient's sum").reshape(-1)
    if limit <= 0 or limit & (limit + 1):
        raise ValueError(f"the limit {limit} is not 2^k - 1")
    largest = int(np.abs(values).max(initial=0))
    down = largest.bit_length() - limit.bit_length()
    scaled = shift_toward_zero(values, down) if down > 0 else values << -down
    grad_mantissa(grad)[: values.size] = scaled
    zero = declarations().constants["TT_ZERO_EXPONENT"]
    grad[:4].view(np.int32)[0] = zero if largest == 0 else exponent + down


def clip_bwd(p: Params, dy: Bytes, clip: Array, dx: Bytes) -> None:
    """dx = dy where the clip bit is 1, else 0."""
    size = p["size"]
    kept = np.unpackbits(clip.reshape(-1).view(np.uint8), bitorder="little")[:size]
    put(dx, mantissas(dy, (size,)) * kept, p["limit"], grad_exponent(dy))


def grad_add(p: Params, a: Bytes, b: Bytes, y: Bytes) -> None:
    """y = a + b; the mantissas under the smaller exponent are first shifted toward zero."""
    exponent = max(grad_exponent(a), grad_exponent(b))
    terms = [
        shift_toward_zero(mantissas(g, (p["size"],)), exponent - grad_exponent(g)) for g in (a, b)
    ]
    put(y, terms[0] + terms[1], p["limit"], exponent)
