"""Depthwise convolution: output channel o reads input channel o / (out_c / in_c)."""

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
from tinytrain.kernels.reference.conv2d import add_rows
from tinytrain.kernels.reference.gradient import mantissas, put
from tinytrain.kernels.reference.update import deltas, subtract
from tinytrain.kernels.reference.windows import gather, input_shape, output_shape, scatter


def _weights(w: Params, memory: Array) -> Array:
    return view(memory, np.int8, (w["kernel_h"], w["kernel_w"], w["out_c"]))


def _taps(p: Params, x: Array) -> Ints:
    """x - in_zero for each tap and *output* channel: [out_h,out_w,kernel_h,kernel_w,out_c]."""
    w = p["window"]
    taps = gather(w, ints(view(x, np.int8, input_shape(w))) - p["in_zero"])
    return np.repeat(taps, w["out_c"] // w["in_c"], axis=-1)


def depthwise_conv2d_s8(
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
    """y[o] = clamp(out_zero + requantize(bias[o] + sum (x - in_zero) * w[ky,kx,o]))."""
    window = p["window"]
    channels = (window["out_c"],)
    total = (_taps(p, x) * _weights(window, w)).sum(axis=(2, 3))
    if bias is not None:
        total = total + view(bias, np.int32, channels)
    factors = view(multiplier, np.int32, channels), view(shift, np.int8, channels)
    v = wrap(requantize(wrap(total), *factors) + p["out_zero"])
    put_clamped(v, p["low"], p["high"], view(y, np.int8, output_shape(window)), clip)


def depthwise_conv2d_s8_lead(p: Params) -> int:
    """Bytes by which y may begin before x so that both may overlap; -1: they must be apart."""
    w = p["window"]
    beyond = (w["out_w"] - 1) * w["stride_w"] - w["pad_left"] >= w["in_w"]
    if w["in_c"] != w["out_c"] or w["out_w"] > w["in_w"] or beyond:
        return -1
    pixels = w["pad_top"] * w["in_w"] + w["pad_left"]
    return next(n for n in range(pixels * w["in_c"], 1 << 31, w["in_c"]) if n % 4 == 0)


def depthwise_conv2d_bwd_input(
    p: Params, dy: Bytes, w: Array, scale: Array, dx: Bytes, scratch: Array
) -> None:
    """dx[i] = sum over the output channels o of i of floor(s[o] * scale[o] / 2^15).

    s[o] = sum over windows of dy[o] * 2^headroom * w[ky,kx,o].
    """
    del scratch
    window = p["window"]
    raised = mantissas(dy, output_shape(window)) << p["headroom"]
    g = raised[:, :, None, None, :] * ints(_weights(window, w))
    grouped = (*input_shape(window), window["out_c"] // window["in_c"])
    magnitude = scatter(window, np.abs(g)).reshape(grouped).sum(axis=-1)
    int32(magnitude, "a sum of the gradient")
    scaled = (scatter(window, g) * ints(view(scale, np.uint16, (window["out_c"],)))) >> 15
    sums = scaled.reshape(grouped).sum(axis=-1)
    put(dx, sums, p["limit"], grad_exponent(dy) + p["exponent"])


def depthwise_conv2d_bwd_weight(
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
    """d[ky,kx,o] = sum over rows of round(sum over pixels of dy[o] * (x - in_zero)).

    A row's sum is rounded to 2^row_shift. For the outputs of the first `channels` input channels.
    """
    window = p["window"]
    trained = p["channels"] * (window["out_c"] // window["in_c"])
    taps = _taps(p, x)[..., :trained]
    g = mantissas(dy, output_shape(window))[..., :trained]
    int32(np.einsum("yxo,yxklo->yokl", np.abs(g), np.abs(taps)), "a row's sum")
    total = add_rows(np.einsum("yxo,yxklo->yokl", g, taps), p["row_shift"])
    if rate is None:
        view(d, np.int32, total.shape)[...] = total
        return
    exponent = ints(view(step_exponent, np.int8, (trained,))) + grad_exponent(dy) + p["row_shift"]
    flat = total.reshape(trained, -1)
    delta = deltas(rate, view(step_mantissa, np.uint16, (trained,)), exponent, flat)
    values = _weights(window, w)[..., :trained]
    moves = np.moveaxis(delta.reshape(total.shape), 0, -1)
    subtract(moves, values, view(fraction, np.int8, values.shape), 127)
