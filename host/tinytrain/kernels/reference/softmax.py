"""Softmax of int8 in gemmlowp's fixed point: Qm is an int32 of real value raw * 2^(m - 31)."""

from __future__ import annotations

import numpy as np

from tinytrain.kernels.memory import view
from tinytrain.kernels.reference.arithmetic import (
    Array,
    Ints,
    Params,
    int32,
    ints,
    mul_high,
    requantize,
    round_shift,
)

_ONE = 2**31 - 1
_QUARTER_Q5 = 2**24
# exp(-2^k) in Q0 for k = -2..4
_FACTORS = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)


def _saturate(x: Ints) -> Ints:
    return np.clip(x, -(2**31), 2**31 - 1)


def _exp_near_zero(a: Ints) -> Ints:
    """exp on [-1/4, 0), Q0: Taylor's series of degree 4 around -1/8."""
    at_centre, third = 1895147668, 715827883
    x = a + 2**28
    x2 = mul_high(x, x)
    x3, x4 = mul_high(x2, x), mul_high(x2, x2)
    tail = mul_high(round_shift(x4, 2) + x3, third) + x2
    return int32(at_centre + mul_high(at_centre, x + round_shift(tail, 1)), "exp")


def _exp(a: Ints) -> Ints:
    """exp of a <= 0, Q5 to Q0: a is a multiple of -1/4 plus a rest in [-1/4, 0)."""
    rest = a % _QUARTER_Q5 - _QUARTER_Q5
    result = _exp_near_zero(_saturate(rest << 5))
    quarters = (rest - a) // _QUARTER_Q5
    for k, factor in enumerate(_FACTORS):
        result = np.where(quarters >> k & 1, mul_high(result, factor), result)
    return np.where(a == 0, _ONE, result)


def _reciprocal(a: int) -> int:
    """1 / (1 + a) for a in [0, 1), Q0: Newton's method in Q2."""
    half = (a + _ONE + 1) // 2
    x = 1515870810 + int(mul_high(half, -1010580540))
    for _ in range(3):
        residual = 2**29 - int(mul_high(half, x))
        x += int(_saturate(mul_high(x, residual) << 2))
        int32(x, "the reciprocal")
    return int(_saturate(ints(x << 1)))


def softmax_s8(p: Params, x: Array, y: Array) -> None:
    """y = 256 * softmax(x) - 128 per row; what is below diff_min counts as probability 0."""
    shape = (p["rows"], p["depth"])
    rows, out = ints(view(x, np.int8, shape)), view(y, np.int8, shape)
    for row, result in zip(rows, out, strict=True):
        diff = row - row.max()
        counts = diff >= p["diff_min"]
        scaled = requantize(np.where(counts, diff, 0), p["multiplier"], p["shift"])
        exps = np.where(counts, _exp(scaled), 0)
        total = int(int32(round_shift(exps, 12).sum(), "the sum of a row"))
        zeros = 32 - total.bit_length()
        scale = _reciprocal((total << zeros) - 2**31)
        shift = min(12 - zeros + 31 - 8, 31)
        result[...] = np.clip(round_shift(mul_high(scale, exps), shift) - 128, -128, 127)
