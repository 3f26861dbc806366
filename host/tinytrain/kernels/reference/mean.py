"""Mean over the middle one of three axes."""

from __future__ import annotations

import numpy as np

from tinytrain.kernels.memory import Bytes, grad_exponent, view
from tinytrain.kernels.reference.arithmetic import (
    Array,
    Params,
    int32,
    ints,
    put_clamped,
    requantize,
    wrap,
)
from tinytrain.kernels.reference.gradient import mantissas, put


def mean_s8(p: Params, x: Array, y: Array, clip: Array | None) -> None:
    """y[outer,inner] = clamp(out_zero + requantize(sum over count of x - in_zero))."""
    values = ints(view(x, np.int8, (p["outer"], p["count"], p["inner"]))) - p["in_zero"]
    total = int32(values.sum(axis=1), "the sum")
    v = wrap(requantize(total, p["multiplier"], p["shift"]) + p["out_zero"])
    put_clamped(v, -128, 127, view(y, np.int8, v.shape), clip)


def mean_bwd(p: Params, dy: Bytes, dx: Bytes, scratch: Array) -> None:
    """dx[outer,count,inner] = dy[outer,inner] * reciprocal * 2^-reciprocal_bits."""
    del scratch
    g = mantissas(dy, (p["outer"], 1, p["inner"])) * p["reciprocal"]
    sums = np.repeat(g, p["count"], axis=1)
    put(dx, sums, p["limit"], grad_exponent(dy) - p["reciprocal_bits"])
