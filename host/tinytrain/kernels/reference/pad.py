"""A border around a map."""

from __future__ import annotations

import numpy as np

from tinytrain.kernels.memory import Bytes, grad_exponent, view
from tinytrain.kernels.reference.arithmetic import Array, Params
from tinytrain.kernels.reference.gradient import mantissas, put


def _inner(p: Params) -> tuple[slice, slice]:
    top, left = p["pad_top"], p["pad_left"]
    return slice(top, top + p["in_h"]), slice(left, left + p["in_w"])


def pad_s8(p: Params, x: Array, y: Array) -> None:
    """y [out_h,out_w,channels] = value, with x [in_h,in_w,channels] at (pad_top, pad_left)."""
    out = view(y, np.int8, (p["out_h"], p["out_w"], p["channels"]))
    out[...] = p["value"]
    out[_inner(p)] = view(x, np.int8, (p["in_h"], p["in_w"], p["channels"]))


def pad_bwd(p: Params, dy: Bytes, dx: Bytes) -> None:
    """dx = the inner part of dy."""
    pad = p["pad"]
    g = mantissas(dy, (pad["out_h"], pad["out_w"], pad["channels"]))
    put(dx, g[_inner(pad)], p["limit"], grad_exponent(dy))
