"""Windows and clamps as TFLite computes them from an op's options."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import tflite

from tinytrain.importers.tflite_file import FileOp
from tinytrain.importers.translation import DAMAGED_HELP, Translation
from tinytrain.ir import Quantization
from tinytrain.ir.ops import Hwc, Window

INT8_RANGE: Final = (-128, 127)

# Fused activations: bounds in real value.
_BOUNDS: Final[dict[int, tuple[str, float, float]]] = {
    tflite.ActivationFunctionType.NONE: ("NONE", -math.inf, math.inf),
    tflite.ActivationFunctionType.RELU: ("RELU", 0.0, math.inf),
    tflite.ActivationFunctionType.RELU_N1_TO_1: ("RELU_N1_TO_1", -1.0, 1.0),
    tflite.ActivationFunctionType.RELU6: ("RELU6", 0.0, 6.0),
}


def option(t: Translation, op: FileOp, name: str) -> int:
    """An integer option of an op; refuses an op without its options."""
    if name not in op.options:
        raise t.refusal(op, f"it has no options (its {name} is needed)", None, DAMAGED_HELP)
    return int(op.options[name])


def clamp(low: float, high: float, quant: Quantization) -> tuple[int, int]:
    """Two bounds in real value (or infinite) as int8 bounds: low, high."""
    return (
        max(INT8_RANGE[0], _quantize(low, quant)),
        min(INT8_RANGE[1], _quantize(high, quant)),
    )


def _quantize(bound: float, quant: Quantization) -> int:
    """zero point + round(bound / scale): divided in float32, rounded half away from zero."""
    if math.isinf(bound):
        return INT8_RANGE[0] if bound < 0 else INT8_RANGE[1]
    with np.errstate(over="ignore"):
        steps = float(np.float32(bound) / np.float32(quant.per_tensor))
    # Steps that leave int8 are cut first: a tiny scale would make them infinite.
    steps = max(-1000.0, min(1000.0, steps))
    return quant.zero_point + int(math.copysign(math.floor(abs(steps) + 0.5), steps))


def fused_clamp(t: Translation, op: FileOp) -> tuple[int, int]:
    """The bounds of the fused activation on the op's output: low, high."""
    target = t.target(op)
    code = option(t, op, "FusedActivationFunction")
    if code not in _BOUNDS:
        raise t.refusal(
            op,
            f"fused activation {code} is not supported",
            target,
            "use RELU, RELU6, RELU_N1_TO_1 or none",
        )
    _, low, high = _BOUNDS[code]
    return clamp(low, high, t.quantization(op, target))


def window(
    t: Translation, op: FileOp, source: Hwc, kernel: tuple[int, int], channels: int
) -> Window:
    """The window of a convolution or a pool; refuses one that the output's shape contradicts."""
    stride = option(t, op, "StrideH"), option(t, op, "StrideW")
    if min(*stride, *kernel) < 1:
        raise t.refusal(op, f"kernel {kernel} with stride {stride}", None, DAMAGED_HELP)
    padding = option(t, op, "Padding")
    if padding not in (tflite.Padding.SAME, tflite.Padding.VALID):
        raise t.refusal(op, f"padding {padding} is neither SAME nor VALID", None, DAMAGED_HELP)
    (h, top), (w, left) = (
        _axis(size, k, s, padding == tflite.Padding.SAME)
        for size, k, s in zip((source.h, source.w), kernel, stride, strict=True)
    )
    target = t.target(op)
    if h < 1 or w < 1 or t.shape(op, target) != (1, h, w, channels):
        raise t.refusal(
            op,
            f"output shape {list(target.shape)}, but its input and options give "
            f"{[1, h, w, channels]}",
            target,
            DAMAGED_HELP,
        )
    return Window(source, Hwc(h, w, channels), kernel, stride, (top, left))


def _axis(size: int, kernel: int, stride: int, same: bool) -> tuple[int, int]:
    """Output size and padding before the first element, along one axis."""
    if not same:
        return (size - kernel) // stride + 1, 0
    out = -(-size // stride)
    return out, max(0, (out - 1) * stride + kernel - size) // 2
