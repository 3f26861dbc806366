"""Average and maximum over windows."""

from __future__ import annotations

import numpy as np

from tinytrain.kernels.memory import Bytes, grad_exponent, view
from tinytrain.kernels.reference.arithmetic import Array, Ints, Params, int32, ints, put_clamped
from tinytrain.kernels.reference.gradient import mantissas, put
from tinytrain.kernels.reference.windows import (
    coordinates,
    gather,
    input_shape,
    output_shape,
    scatter,
)

_BELOW_ALL = -129


def _counts(w: Params) -> Ints:
    """Elements of each window inside the map, [out_h,out_w]; at least one."""
    counts = ints(coordinates(w).inside.sum(axis=(2, 3)))
    if counts.min() < 1:
        raise ValueError("a window lies outside the map")
    return counts


def average_pool2d_s8(p: Params, x: Array, y: Array, clip: Array | None) -> None:
    """y = clamp(mean of the window's part inside the map), halves away from zero."""
    w = p["window"]
    total = gather(w, view(x, np.int8, input_shape(w))).sum(axis=(2, 3))
    counts = _counts(w)[..., None]
    v = np.sign(total) * ((np.abs(total) + counts // 2) // counts)
    put_clamped(v, p["low"], p["high"], view(y, np.int8, output_shape(w)), clip)


def max_pool2d_s8(p: Params, x: Array, y: Array, clip: Array | None) -> None:
    """y = clamp(largest value of the window's part inside the map)."""
    w = p["window"]
    _counts(w)
    v = gather(w, view(x, np.int8, input_shape(w)), _BELOW_ALL).max(axis=(2, 3))
    put_clamped(v, p["low"], p["high"], view(y, np.int8, output_shape(w)), clip)


def average_pool2d_bwd(p: Params, dy: Bytes, dx: Bytes, scratch: Array) -> None:
    """dx = sum over windows of dy * round(2^reciprocal_bits / n) * 2^-reciprocal_bits."""
    del scratch
    w = p["window"]
    counts = _counts(w)[..., None]
    reciprocal = ((1 << p["reciprocal_bits"]) + counts // 2) // counts
    g = mantissas(dy, output_shape(w)) * reciprocal
    _put_windows(p, dy, g[:, :, None, None, :], dx)


def max_pool2d_bwd(p: Params, dy: Bytes, x: Array, dx: Bytes, scratch: Array) -> None:
    """dx = sum of dy over the windows whose first largest element this is."""
    del scratch
    w = p["window"]
    taps = gather(w, view(x, np.int8, input_shape(w)), _BELOW_ALL)
    h, width, kernel_h, kernel_w, channels = taps.shape
    first = taps.reshape(h, width, -1, channels).argmax(axis=2)
    chosen = first[:, :, None, :] == np.arange(kernel_h * kernel_w)[:, None]
    g = mantissas(dy, output_shape(w))[:, :, None, None, :]
    _put_windows(p, dy, g * chosen.reshape(taps.shape), dx)


def _put_windows(p: Params, dy: Bytes, values: Ints, dx: Bytes) -> None:
    w = p["window"]
    values = np.broadcast_to(values, (*coordinates(w).inside.shape, w["in_c"]))
    int32(scatter(w, np.abs(values)), "a sum of the gradient")
    put(dx, scatter(w, values), p["limit"], grad_exponent(dy) - p["reciprocal_bits"])
