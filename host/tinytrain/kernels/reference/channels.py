"""Some channels of an array, for layers that are trained in part."""

from __future__ import annotations

import numpy as np

from tinytrain.kernels.memory import Bytes, grad_mantissa, view
from tinytrain.kernels.reference.arithmetic import Array, Params
from tinytrain.kernels.reference.gradient import mantissas


def _chosen(p: Params, index: Array | None) -> Array:
    taken = p["taken"]
    return np.arange(taken) if index is None else view(index, np.int16, (taken,)).astype(np.int64)


def take_channels_s8(p: Params, index: Array | None, x: Array, y: Array) -> None:
    """y [rows,taken] = the chosen channels of x."""
    source = view(x, np.int8, (p["rows"], p["channels"]))
    view(y, np.int8, (p["rows"], p["taken"]))[...] = source[:, _chosen(p, index)]


def take_channels_grad(p: Params, index: Array | None, dy: Bytes, dx: Bytes) -> None:
    """The same of a gradient, exponent and all."""
    dx[:4] = dy[:4]
    source = mantissas(dy, (p["rows"], p["channels"]))
    grad_mantissa(dx)[: p["rows"] * p["taken"]] = source[:, _chosen(p, index)].reshape(-1)


def merge_channels_s8(p: Params, index: Array | None, x: Array, trained: Array, y: Array) -> None:
    """y = x with the chosen channels from `trained`."""
    out = view(y, np.int8, (p["rows"], p["channels"]))
    out[...] = view(x, np.int8, (p["rows"], p["channels"]))
    out[:, _chosen(p, index)] = view(trained, np.int8, (p["rows"], p["taken"]))
