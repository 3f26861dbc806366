"""Rules for the ops with weights: convolutions and fully connected layers."""

from __future__ import annotations

import math

import numpy as np

from tinytrain.importers import layout
from tinytrain.importers.geometry import fused_clamp, option, window
from tinytrain.importers.tflite_file import FileOp
from tinytrain.importers.translation import DAMAGED_HELP, NHWC_HELP, Translation
from tinytrain.importers.weights import add_parameters, read_weight
from tinytrain.ir.ops import Conv2D, DepthwiseConv2D, Hwc, Window


def conv2d(t: Translation, op: FileOp) -> None:
    """CONV_2D with weights [O, KH, KW, I]."""
    weight = read_weight(t, op, 4)
    view, source = t.feature_map(op)
    channels, kh, kw, depth = weight.shape
    if depth != source.c:
        raise t.refusal(
            op,
            f"weights for {depth} input channels on {source.c} (a grouped convolution)",
            t.source(op, 1),
            "use an ordinary or a depthwise convolution",
        )
    _require_dilation_1(t, op)
    place = window(t, op, source, (kh, kw), channels)
    low, high = fused_clamp(t, op)
    quant = t.quantization(op, t.source(op, 0))
    parameters = add_parameters(t, op, quant, weight, file_axis=0, axis=0)
    t.emit(op, "conv2d", (view.tensor, *parameters), Conv2D(place, low, high))


def depthwise_conv2d(t: Translation, op: FileOp) -> None:
    """DEPTHWISE_CONV_2D with weights [1, KH, KW, C * M]."""
    weight = read_weight(t, op, 4)
    view, source = t.feature_map(op)
    one, kh, kw, channels = weight.shape
    multiplier = option(t, op, "DepthMultiplier")
    if one != 1 or channels != source.c * multiplier:
        raise t.refusal(
            op,
            f"weights of shape {list(weight.shape)} for {source.c} input channels and depth "
            f"multiplier {multiplier}",
            t.source(op, 1),
            DAMAGED_HELP,
        )
    _require_dilation_1(t, op)
    place = window(t, op, source, (kh, kw), channels)
    low, high = fused_clamp(t, op)
    quant = t.quantization(op, t.source(op, 0))
    parameters = add_parameters(t, op, quant, weight, file_axis=3, axis=3)
    attrs = DepthwiseConv2D(place, low, high)
    t.emit(op, "depthwise_conv2d", (view.tensor, *parameters), attrs)


def _require_dilation_1(t: Translation, op: FileOp) -> None:
    dilation = option(t, op, "DilationHFactor"), option(t, op, "DilationWFactor")
    if dilation != (1, 1):
        raise t.refusal(
            op,
            f"dilation {dilation} is not supported",
            t.source(op, 1),
            "use dilation 1, with a larger kernel if need be",
        )


def fully_connected(t: Translation, op: FileOp) -> None:
    """FULLY_CONNECTED with weights [O, I]: a 1x1 convolution over the rows of its input."""
    weight = read_weight(t, op, 2)
    view = t.activation(op)
    channels, depth = weight.shape
    rows, rest = divmod(view.size, depth)
    target = t.target(op)
    shape = t.shape(op, target)
    if rest or shape[-1:] != (channels,) or math.prod(shape) != rows * channels:
        raise t.refusal(
            op,
            f"shapes {list(view.shape)}, {list(weight.shape)} -> {list(shape)}",
            target,
            DAMAGED_HELP,
        )
    if option(t, op, "WeightsFormat"):
        raise t.refusal(
            op, "shuffled weights are not supported", t.source(op, 1), "convert for the CPU again"
        )
    columns = layout.column_order(view, depth)
    if columns is None:
        raise t.refusal(op, "a transposed input", t.source(op, 0), NHWC_HELP)
    if view.order is not None:
        # The input stays where it is; the weights' columns follow its order instead.
        reordered = np.empty_like(weight)
        reordered[:, columns] = weight
        weight = reordered
        t.notes.append(f"{op}: the columns of its weights are reordered, its input was transposed")
    low, high = fused_clamp(t, op)
    quant = t.quantization(op, t.source(op, 0))
    kernel = weight.reshape(channels, 1, 1, depth)
    parameters = add_parameters(t, op, quant, kernel, file_axis=0, axis=0)
    place = Window(Hwc(1, rows, depth), Hwc(1, rows, channels), (1, 1))
    attrs = Conv2D(place, low, high, float32_product=t.source(op, 1).scales.size == 1)
    t.emit(op, "conv2d", (view.tensor, *parameters), attrs, prefix="dense")
