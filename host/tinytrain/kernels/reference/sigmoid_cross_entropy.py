"""Binary cross-entropy of independent labels, in fixed point."""

from __future__ import annotations

import numpy as np

from tinytrain.kernels.memory import Bytes, view
from tinytrain.kernels.reference.arithmetic import Array, Params, int32, ints, requantize
from tinytrain.kernels.reference.cross_entropy import (
    EXP_BITS,
    LN_POLYNOMIAL,
    LOGIT_BITS,
    LOSS_BITS,
    alternating,
    exp_minus,
)
from tinytrain.kernels.reference.gradient import put
from tinytrain.kernels.reference.wide import scaled, total


def sigmoid_cross_entropy(
    p: Params,
    sums: Array,
    multiplier: Array,
    shift: Array,
    target: Array,
    d_logits: Bytes,
    loss: Array,
) -> None:
    """d_logits = (sigmoid - target) / size; loss = the mean of -ln of what was right."""
    n, channel = p["size"], np.arange(p["size"]) % p["channels"]
    factors = (view(multiplier, np.int32, (p["channels"],)), view(shift, np.int8, (p["channels"],)))
    logits = requantize(view(sums, np.int32, (n,)), *(f[channel] for f in factors))
    distance = np.abs(logits)
    if int(distance.max()) >= 2**30:
        raise OverflowError("a logit leaves 2^30")
    one = view(target, np.int8, (n,)) != 0
    wrong = (logits >= 0) != one
    e = exp_minus(distance)
    small = (e * (2**31 // ((2**EXP_BITS + e) >> 14))) >> 16  # sigmoid(-distance)
    mean = (np.where(wrong, 2**EXP_BITS - small, small) * p["reciprocal"]) >> 16
    exponent = 16 - EXP_BITS - p["reciprocal_bits"]
    put(d_logits, int32(np.where(one, -mean, mean), "an error"), p["limit"], exponent)
    logarithm = (e * alternating(LN_POLYNOMIAL, e >> (EXP_BITS - 16))) >> 16
    terms = logarithm + np.where(wrong, distance << (EXP_BITS - LOGIT_BITS), 0)
    down = p["reciprocal_bits"] + EXP_BITS - LOSS_BITS
    view(loss, np.int32, (1,))[0] = scaled(total(ints(terms).tolist()), p["reciprocal"], down)
