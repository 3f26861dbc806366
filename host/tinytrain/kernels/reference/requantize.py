"""From one scale to another."""

from __future__ import annotations

import numpy as np

from tinytrain.kernels.memory import view
from tinytrain.kernels.reference.arithmetic import (
    Array,
    Params,
    ints,
    put_clamped,
    requantize,
    wrap,
)


def requantize_s8(p: Params, x: Array, y: Array, clip: Array | None) -> None:
    """y = clamp(out_zero + requantize(x - in_zero)), or clamp(x) if identity."""
    v = ints(view(x, np.int8, (p["size"],)))
    if not p["identity"]:
        v = wrap(requantize(v - p["in_zero"], p["multiplier"], p["shift"]) + p["out_zero"])
    put_clamped(v, p["low"], p["high"], view(y, np.int8, (p["size"],)), clip)


def widen_s8(size: int, zero: int, x: Array, y: Array) -> None:
    """y = x - zero in 32 bits."""
    view(y, np.int32, (size,))[...] = ints(view(x, np.int8, (size,))) - zero
