"""Softmax cross-entropy of one labelled example, in fixed point."""

from __future__ import annotations

import numpy as np

from tinytrain.kernels.memory import Bytes, view
from tinytrain.kernels.reference.arithmetic import Array, Ints, Params, int32, ints, requantize
from tinytrain.kernels.reference.gradient import put

LOGIT_BITS, EXP_BITS, LOSS_BITS = 12, 29, 20
FARTHEST = 22 << LOGIT_BITS
LOG2_E_Q14 = 23637
LN_2_Q20 = 726817

# 2^-f = 1 - a f + b f^2 - c f^3 and ln(1 + x) = x (a - x (b - x (c - x (d - x e)))), times 2^16
EXP_POLYNOMIAL = (45313, 15110, 2565)
LN_POLYNOMIAL = (65503, 32238, 18971, 8917, 2108)


def alternating(coefficients: tuple[int, ...], x: Ints) -> Ints:
    """a - x (b - x (c ...)) for x in [0, 2^16) as a fraction of 2^16, each product rounded down."""
    value = ints(coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        value = coefficient - ((value * x) >> 16)
    return value


def exp_minus(t: Ints) -> Ints:
    """exp(-t / 2^12) * 2^29, 0 from t = 22 on."""
    power = (np.minimum(t, FARTHEST) * LOG2_E_Q14) >> 10
    f = power & 0xFFFF
    fractional = 65536 - ((alternating(EXP_POLYNOMIAL, f) * f) >> 16)
    value = (fractional << (EXP_BITS - 16)) >> (power >> 16)
    return np.where(t < FARTHEST, value, 0)


def _ln(value: int, powers: int) -> int:
    """ln(value * 2^powers / 2^29) * 2^20 for 2^29 <= value < 2^30."""
    x = value - 2**EXP_BITS
    poly = int(alternating(LN_POLYNOMIAL, ints(x >> (EXP_BITS - 16))))
    return int((x >> (EXP_BITS - LOSS_BITS)) * poly >> 16) + powers * LN_2_Q20


def softmax_cross_entropy(
    p: Params,
    sums: Array,
    multiplier: Array,
    shift: Array,
    label: int,
    d_logits: Bytes,
    loss: Array,
    scratch: Array,
) -> None:
    """d_logits[c] = softmax[c] - (c == label); loss = -ln softmax[label] in units of 2^-20."""
    del scratch
    shape = (p["classes"],)
    factors = view(multiplier, np.int32, shape), view(shift, np.int8, shape)
    logits = requantize(view(sums, np.int32, shape), *factors)
    if int(np.abs(logits).max()) >= 2**30:
        raise OverflowError("a logit leaves 2^30")
    exps = exp_minus(logits.max() - logits)
    total = int(exps.sum())
    powers = total.bit_length() - 1 - EXP_BITS
    value = total >> powers
    distance = int(logits.max() - logits[label])
    exact = (distance << (LOSS_BITS - LOGIT_BITS)) + _ln(value, powers)
    view(loss, np.int32, (1,))[0] = _saturate(exact)
    reciprocal = 2**31 // (value >> 14)
    probability = ((exps * reciprocal) >> 16) >> powers
    gradient = probability.copy()
    gradient[label] = probability[label] - probability.sum()
    put(d_logits, int32(gradient, "a probability"), p["limit"], -EXP_BITS)


def _saturate(loss: int) -> int:
    """A loss near 2^31 or above is 2^31 - 1; the comparison is made in units of 2^-12."""
    return loss if loss >> 8 < (2**31 - 1) >> 8 else 2**31 - 1
