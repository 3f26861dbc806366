"""The gradient of a bias."""

from __future__ import annotations

import numpy as np

from tinytrain.kernels.memory import Bytes, grad_exponent, view
from tinytrain.kernels.reference.arithmetic import Array, Params, int32, ints
from tinytrain.kernels.reference.gradient import mantissas
from tinytrain.kernels.reference.update import deltas, subtract


def bias_bwd(
    p: Params,
    dy: Bytes,
    rate: Bytes | None,
    step_mantissa: Array,
    step_exponent: Array,
    bias: Array,
    fraction: Array,
    d: Array,
) -> None:
    """d[o] = sum over pixels of dy[o]; then the update."""
    shape = (p["channels"],)
    g = mantissas(dy, (p["pixels"], p["channels"]))
    int32(np.abs(g).sum(axis=0), "the sum of a bias")
    total = g.sum(axis=0)
    view(d, np.int32, shape)[...] = total
    if rate is None:
        return
    mantissa = view(step_mantissa, np.uint16, shape)
    exponent = ints(view(step_exponent, np.int8, shape)) + grad_exponent(dy)
    delta = deltas(rate, mantissa, exponent, total[:, None])[:, 0]
    values, limit = view(bias, np.int32, shape), p["bias_limit"]
    values[...] = np.where(delta == 0, values, np.clip(values, -limit, limit))
    subtract(delta, values, view(fraction, np.int8, shape), limit)
