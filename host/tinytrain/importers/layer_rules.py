"""Rules for the ops without weights: each reads one op of the file and adds one node."""

from __future__ import annotations

import math

import numpy as np

from tinytrain.importers import layout
from tinytrain.importers.geometry import INT8_RANGE, clamp, fused_clamp, option, window
from tinytrain.importers.layout import View
from tinytrain.importers.tflite_file import FileOp
from tinytrain.importers.translation import DAMAGED_HELP, NHWC_HELP, Translation
from tinytrain.ir.ops import (
    Add,
    AveragePool2D,
    Hwc,
    MaxPool2D,
    Mean,
    Pad,
    Requantize,
    Softmax,
    Window,
)

_SOFTMAX_SCALE = 1.0 / 256
_SOFTMAX_ZERO = -128
_SOFTMAX_LEAST = 2.0**-26  # of beta * scale: the reference's multiplier must be greater than 1


def add(t: Translation, op: FileOp) -> None:
    """ADD of two activations of one shape."""
    a, b = t.activation(op, 0), t.activation(op, 1)
    target = t.target(op)
    # Leading axes of size 1 do not matter; anything else that differs is a broadcast.
    shapes = {_without_leading_ones(s) for s in (a.shape, b.shape, t.shape(op, target))}
    if len(shapes) != 1:
        raise t.refusal(
            op,
            f"shapes {list(a.shape)} and {list(b.shape)} are broadcast to {list(target.shape)}",
            t.source(op, 1),
            "add tensors of equal shape, or fold the addition into a bias",
        )
    if not a.same_order(b):
        raise t.refusal(op, "one operand is transposed", t.source(op, 1), NHWC_HELP)
    low, high = fused_clamp(t, op)
    _emit_elementwise(t, op, "add", (a, b), Add(low, high))


def _without_leading_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    first = next((i for i, n in enumerate(shape) if n != 1), len(shape))
    return shape[first:]


def _emit_elementwise(
    t: Translation, op: FileOp, kind: str, views: tuple[View, ...], attrs: Add | Requantize
) -> None:
    """A node whose output has the size and the order of its inputs."""
    shape = t.shape(op, t.target(op))
    view = views[0]
    if math.prod(shape) != view.size:
        raise t.refusal(
            op, f"shapes {list(view.shape)} -> {list(shape)}", t.target(op), DAMAGED_HELP
        )
    tensors = tuple(v.tensor for v in views)
    if view.order is None:
        t.emit(op, kind, tensors, attrs)
    else:
        stored = t.tensors[view.tensor].shape
        t.emit(op, kind, tensors, attrs, order=view.order.reshape(shape), stored=stored)


def average_pool2d(t: Translation, op: FileOp) -> None:
    """AVERAGE_POOL_2D."""
    place = _pool_window(t, op)
    attrs = AveragePool2D(place, *fused_clamp(t, op))
    t.emit(op, "average_pool2d", (t.activation(op).tensor,), attrs)


def max_pool2d(t: Translation, op: FileOp) -> None:
    """MAX_POOL_2D."""
    place = _pool_window(t, op)
    attrs = MaxPool2D(place, *fused_clamp(t, op))
    t.emit(op, "max_pool2d", (t.activation(op).tensor,), attrs)


def _pool_window(t: Translation, op: FileOp) -> Window:
    _, source = t.feature_map(op)
    t.require_same_quantization(op)
    kernel = option(t, op, "FilterHeight"), option(t, op, "FilterWidth")
    return window(t, op, source, kernel, source.c)


def mean(t: Translation, op: FileOp) -> None:
    """MEAN over space: one axis or two, with or without keep_dims, also of a transposed map."""
    view = t.activation(op)
    rank = len(view.shape)
    given = [int(a) for a in t.ints(op, 1).reshape(-1)]
    if not given or any(not -rank <= a < rank for a in given):
        raise t.refusal(op, f"axes {given} of {rank}", t.source(op, 1), DAMAGED_HELP)
    axes = frozenset(a % rank for a in given)
    found = layout.reduction(view, axes)
    channels = t.tensors[view.tensor].shape[-1]
    if found is None or (found.count > 1 and found.inner % channels):
        raise t.refusal(
            op,
            f"a mean over axes {sorted(axes)} of shape {list(view.shape)} is none over space "
            "(height, width) alone",
            t.source(op, 0),
            "average over height and width only; " + NHWC_HELP,
        )
    kept = tuple(n for axis, n in enumerate(view.shape) if axis not in axes)
    shape = t.shape(op, t.target(op))
    with_ones = tuple(1 if axis in axes else n for axis, n in enumerate(view.shape))
    if shape not in (kept, with_ones):
        raise t.refusal(
            op, f"shapes {list(view.shape)} -> {list(shape)}", t.target(op), DAMAGED_HELP
        )
    attrs = Mean(found.outer, found.count, found.inner)
    order = None if found.order is None else found.order.reshape(shape)
    stored = None if order is None else (found.outer, found.inner // channels, channels)
    t.emit(op, "mean", (view.tensor,), attrs, order=order, stored=stored)


def softmax(t: Translation, op: FileOp) -> None:
    """SOFTMAX over the last axis."""
    view = t.activation(op)
    t.require_plain(op, view)
    target = t.target(op)
    quant = t.quantization(op, target)
    if (quant.per_tensor, quant.zero_point) != (_SOFTMAX_SCALE, _SOFTMAX_ZERO):
        raise t.refusal(
            op,
            f"output scale {quant.per_tensor:.6g} and zero point {quant.zero_point}, expected "
            "1/256 and -128",
            target,
            "end the model at the logits, or quantize it with a current converter",
        )
    if "Beta" not in op.options or not math.isfinite(op.options["Beta"]):
        raise t.refusal(op, "it has no usable beta", target, DAMAGED_HELP)
    if t.shape(op, target) != view.shape or not view.shape:
        raise t.refusal(
            op, f"shapes {list(view.shape)} -> {list(target.shape)}", target, DAMAGED_HELP
        )
    beta = float(op.options["Beta"])
    factor = beta * t.tensors[view.tensor].quant.per_tensor
    if factor <= _SOFTMAX_LEAST:
        raise t.refusal(
            op,
            f"beta * input scale is {factor:.6g}, the kernels need more than 2^-26",
            t.source(op, 0),
            "end the model at the logits",
        )
    depth = view.shape[-1]
    attrs = Softmax(view.size // depth, depth, beta)
    t.emit(op, "softmax", (view.tensor,), attrs)


def relu(t: Translation, op: FileOp) -> None:
    """RELU standing alone: rescales, and clamps below at real zero."""
    view = t.activation(op)
    low, high = clamp(0.0, math.inf, t.quantization(op, t.target(op)))
    _emit_elementwise(t, op, "requantize", (view,), Requantize(low, high))


def relu6(t: Translation, op: FileOp) -> None:
    """RELU6 standing alone: the reference clamps without rescaling."""
    _clamp_only(t, op, 0.0, 6.0)


def relu_n1_to_1(t: Translation, op: FileOp) -> None:
    """RELU_N1_TO_1 standing alone."""
    _clamp_only(t, op, -1.0, 1.0)


def _clamp_only(t: Translation, op: FileOp, low: float, high: float) -> None:
    view = t.activation(op)
    t.require_same_quantization(op)
    bounds = clamp(low, high, t.quantization(op, t.target(op)))
    _emit_elementwise(t, op, "requantize", (view,), Requantize(*bounds, identity=True))


def requantize(t: Translation, op: FileOp) -> None:
    """QUANTIZE from int8 to int8 inside the model."""
    view = t.activation(op)
    source, target = t.source(op, 0), t.target(op)
    if t.quantization(op, source) == t.quantization(op, target):
        t.alias(op, layout.reshape(view, _same_size(t, op, view)), "changes nothing, left out")
        return
    _emit_elementwise(t, op, "requantize", (view,), Requantize(*INT8_RANGE))


def _same_size(t: Translation, op: FileOp, view: View) -> tuple[int, ...]:
    shape = t.shape(op, t.target(op))
    if math.prod(shape) != view.size:
        raise t.refusal(
            op, f"shapes {list(view.shape)} -> {list(shape)}", t.target(op), DAMAGED_HELP
        )
    return shape


def pad(t: Translation, op: FileOp) -> None:
    """PAD and PADV2 of height and width."""
    view, source = t.feature_map(op)
    t.require_same_quantization(op)
    amounts = t.ints(op, 1)
    if amounts.shape != (4, 2) or np.any(amounts < 0) or np.any(amounts > 1 << 16):
        raise t.refusal(op, f"paddings {amounts.tolist()}", t.source(op, 1), DAMAGED_HELP)
    if np.any(amounts[[0, 3]]):
        raise t.refusal(
            op,
            f"paddings {amounts.tolist()} add batches or channels",
            t.source(op, 1),
            "pad height and width only",
        )
    (top, bottom), (left, right) = amounts[1:3].tolist()
    target = Hwc(source.h + top + bottom, source.w + left + right, source.c)
    shape = (1, target.h, target.w, target.c)
    if t.shape(op, t.target(op)) != shape:
        raise t.refusal(op, f"output shape is not {list(shape)}", t.target(op), DAMAGED_HELP)
    if target == source:
        t.alias(op, view, "adds nothing, left out")
        return
    t.emit(op, "pad", (view.tensor,), Pad(source, target, (top, left), _pad_value(t, op)))


def _pad_value(t: Translation, op: FileOp) -> int:
    """Real zero, or the constant that PADV2 gives (in the output's quantization)."""
    zero = t.quantization(op, t.target(op))
    if not t.has_input(op, 2):
        return zero.zero_point
    tensor = t.source(op, 2)
    values = t.ints(op, 2)
    if values.size != 1 or tensor.dtype != "int8" or t.quantization(op, tensor) != zero:
        raise t.refusal(
            op,
            "a padding value that is no int8 constant scaled as the output",
            tensor,
            DAMAGED_HELP,
        )
    return int(values.reshape(-1)[0])
