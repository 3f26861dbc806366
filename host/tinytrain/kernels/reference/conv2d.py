"""Convolution, and with a 1x1 kernel the fully connected layer."""

from __future__ import annotations

import numpy as np

from tinytrain.kernels.memory import Bytes, grad_exponent, view
from tinytrain.kernels.reference.arithmetic import (
    Array,
    Ints,
    Params,
    int32,
    ints,
    put_clamped,
    requantize,
    wrap,
)
from tinytrain.kernels.reference.gradient import mantissas, put
from tinytrain.kernels.reference.update import deltas, subtract
from tinytrain.kernels.reference.windows import gather, input_shape, output_shape, scatter


def _weight_shape(w: Params) -> tuple[int, int, int, int]:
    return w["out_c"], w["kernel_h"], w["kernel_w"], w["in_c"]


def _sums(p: Params, x: Array, w: Array, bias: Array | None) -> Ints:
    """bias[o] + sum (x - in_zero) * w[o], modulo 2^32: [out_h,out_w,out_c]."""
    window = p["window"]
    taps = gather(window, ints(view(x, np.int8, input_shape(window))) - p["in_zero"])
    weights = ints(view(w, np.int8, _weight_shape(window)))
    total = np.einsum("yxkli,okli->yxo", taps, weights)
    if bias is not None:
        total = total + view(bias, np.int32, (window["out_c"],))
    return wrap(total)


def conv2d_s8(
    p: Params,
    x: Array,
    w: Array,
    bias: Array | None,
    multiplier: Array,
    shift: Array,
    y: Array,
    clip: Array | None,
    scratch: Array | None,  # noqa: ARG001
) -> None:
    """y[o] = clamp(out_zero + requantize(bias[o] + sum (x - in_zero) * w[o]))."""
    window = p["window"]
    channels = (window["out_c"],)
    factors = view(multiplier, np.int32, channels), view(shift, np.int8, channels)
    v = wrap(requantize(_sums(p, x, w, bias), *factors) + p["out_zero"])
    put_clamped(v, p["low"], p["high"], view(y, np.int8, output_shape(window)), clip)


def conv2d_s32(p: Params, x: Array, w: Array, bias: Array | None, y: Array) -> None:
    """y[o] = bias[o] + sum (x - in_zero) * w[o]."""
    view(y, np.int32, output_shape(p["window"]))[...] = _sums(p, x, w, bias)


def conv2d_bwd_input(
    p: Params, dy: Bytes, w: Array, scale: Array, dx: Bytes, scratch: Array
) -> None:
    """dx[i] = sum over windows, o of round(dy[o] * 2^headroom * scale[o] / 2^15) * w[o,ky,kx,i]."""
    del scratch
    window = p["window"]
    weights = ints(view(w, np.int8, _weight_shape(window)))
    raised = mantissas(dy, output_shape(window)) << p["headroom"]
    scaled = raised * ints(view(scale, np.uint16, (window["out_c"],)))
    g = (scaled + 2**14) >> 15
    magnitude = np.einsum("yxo,okli->yxkli", np.abs(g), np.abs(weights))
    int32(scatter(window, magnitude), "a sum of the gradient")
    sums = scatter(window, np.einsum("yxo,okli->yxkli", g, weights))
    put(dx, sums, p["limit"], grad_exponent(dy) + p["exponent"])


def conv2d_bwd_weight(
    p: Params,
    dy: Bytes,
    x: Array,
    rate: Bytes | None,
    step_mantissa: Array,
    step_exponent: Array,
    w: Array,
    fraction: Array,
    d: Array,
) -> None:
    """d[o,ky,kx,i] = sum over rows of round(sum over pixels of dy[o] * (x[i] - in_zero)).

    A row's sum is rounded to 2^row_shift. With a rate, the first `channels` input channels of
    w [out_c,kernel_h,kernel_w,in_c] are updated.
    """
    window = p["window"]
    taps = gather(window, ints(view(x, np.int8, input_shape(window))) - p["in_zero"])
    taps = taps[..., : p["channels"]]
    g = mantissas(dy, output_shape(window))
    int32(np.einsum("yxo,yxkli->yokli", np.abs(g), np.abs(taps)), "a row's sum")
    total = add_rows(np.einsum("yxo,yxkli->yokli", g, taps), p["row_shift"])
    if rate is None:
        view(d.view(np.uint8)[: 4 * total.size], np.int32, total.shape)[...] = total
        return
    channels = (window["out_c"],)
    exponent = ints(view(step_exponent, np.int8, channels)) + grad_exponent(dy) + p["row_shift"]
    flat = total.reshape(window["out_c"], -1)
    delta = deltas(rate, view(step_mantissa, np.uint16, channels), exponent, flat)
    trained = view(w, np.int8, _weight_shape(window))[..., : p["channels"]]
    subtract(delta.reshape(total.shape), trained, view(fraction, np.int8, total.shape), 127)


def add_rows(rows: Ints, row_shift: int) -> Ints:
    """The sum over the first axis of floor(row / 2^row_shift + 1/2)."""
    rounded = (rows + ((1 << row_shift) >> 1)) >> row_shift
    int32(np.abs(rounded).sum(axis=0), "a sum of the weight gradient")
    return ints(rounded.sum(axis=0))
