"""Sum of two tensors of different scales."""

from __future__ import annotations

import numpy as np

from tinytrain.kernels.memory import view
from tinytrain.kernels.reference.arithmetic import (
    Array,
    Params,
    int32,
    ints,
    put_clamped,
    requantize,
    wrap,
)


def add_s8(p: Params, a: Array, b: Array, y: Array, clip: Array | None) -> None:
    """y = clamp(out_zero + requantize(ra + rb)), ra = requantize((a - a_zero) * 2^20), rb alike."""
    shape = (p["size"],)
    terms = [
        requantize(
            int32((ints(view(v, np.int8, shape)) - p[f"{name}_zero"]) << 20, f"the term {name}"),
            p[f"{name}_multiplier"],
            p[f"{name}_shift"],
        )
        for name, v in (("a", a), ("b", b))
    ]
    total = int32(terms[0] + terms[1], "the sum")
    v = wrap(requantize(total, p["out_multiplier"], p["out_shift"]) + p["out_zero"])
    put_clamped(v, p["low"], p["high"], view(y, np.int8, shape), clip)
