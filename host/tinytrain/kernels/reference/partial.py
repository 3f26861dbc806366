"""Convolutions trained in part: those of a layer with its weight put together."""

from __future__ import annotations

import numpy as np

from tinytrain.kernels.memory import Bytes
from tinytrain.kernels.reference.arithmetic import Array, Params
from tinytrain.kernels.reference.channels import merge_channels_s8
from tinytrain.kernels.reference.conv2d import (
    conv2d_bwd_input,
    conv2d_s8,
)


def _whole(window: Params, taken: int, index: Array | None, w: Array, trained: Array) -> Array:
    rows = window["out_c"] * window["kernel_h"] * window["kernel_w"]
    p = {"rows": rows, "channels": window["in_c"], "taken": taken}
    whole = np.empty(rows * window["in_c"], np.int8)
    merge_channels_s8(p, index, w, trained, whole)
    return whole


def conv2d_s8__partial(
    p: Params,
    index: Array | None,
    x: Array,
    w: Array,
    trained: Array,
    bias: Array | None,
    multiplier: Array,
    shift: Array,
    y: Array,
    clip: Array | None,
    scratch: Array | None,
) -> None:
    """conv2d_s8 with the chosen input channels of w from `trained`."""
    layer = p["layer"]
    whole = _whole(layer["window"], p["taken"], index, w, trained)
    conv2d_s8(layer, x, whole, bias, multiplier, shift, y, clip, scratch)


def conv2d_bwd_input__partial(
    p: Params,
    index: Array | None,
    dy: Bytes,
    w: Array,
    trained: Array,
    scale: Array,
    dx: Bytes,
    scratch: Array,
) -> None:
    """conv2d_bwd_input with the chosen input channels of w from `trained`."""
    gradient = p["gradient"]
    whole = _whole(gradient["window"], p["taken"], index, w, trained)
    conv2d_bwd_input(gradient, dy, whole, scale, dx, scratch)
