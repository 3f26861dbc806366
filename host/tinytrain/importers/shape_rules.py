"""Rules for ops that compute nothing: other views, constants, and the ends of the model."""

from __future__ import annotations

import math

import numpy as np

from tinytrain.importers import constants, layout
from tinytrain.importers.layer_rules import requantize
from tinytrain.importers.tflite_file import FileOp, FileTensor
from tinytrain.importers.translation import DAMAGED_HELP, INT8_HELP, Translation
from tinytrain.ir import Port, Quantization

_FIXED_HELP = "export the model with a fixed input shape and batch size 1"


def reshape(t: Translation, op: FileOp) -> None:
    """RESHAPE, SQUEEZE and EXPAND_DIMS: the same elements under another shape."""
    source, target = t.source(op, 0), t.target(op)
    if source.index in t.constants:
        t.constants[target.index] = t.constants[source.index].reshape(_sized(t, op, source))
        return
    view = t.activation(op)
    t.require_same_quantization(op)
    shape = t.shape(op, target)
    if math.prod(shape) != view.size:
        raise t.refusal(op, f"shapes {list(view.shape)} -> {list(shape)}", target, DAMAGED_HELP)
    if op.code == "RESHAPE" and t.has_input(op, 1):
        _check_new_shape(t, op, shape)
    t.alias(op, layout.reshape(view, shape))


def _sized(t: Translation, op: FileOp, source: FileTensor) -> tuple[int, ...]:
    shape = t.shape(op, t.target(op))
    if math.prod(shape) != t.constants[source.index].size:
        raise t.refusal(op, f"a constant cannot become {list(shape)}", source, DAMAGED_HELP)
    return shape


def _check_new_shape(t: Translation, op: FileOp, shape: tuple[int, ...]) -> None:
    """The shape operand must say what the output's shape says (-1: whatever is left)."""
    wanted = [int(n) for n in t.ints(op, 1).reshape(-1)]
    if len(wanted) != len(shape) or any(
        n not in (-1, size) for n, size in zip(wanted, shape, strict=True)
    ):
        raise t.refusal(
            op,
            f"output shape {list(shape)}, but the shape operand is {wanted}",
            t.source(op, 1),
            _FIXED_HELP,
        )


def transpose(t: Translation, op: FileOp) -> None:
    """TRANSPOSE: another view; ops that cannot take it refuse it later."""
    view = t.activation(op)
    t.require_same_quantization(op)
    permutation = [int(axis) for axis in t.ints(op, 1).reshape(-1)]
    if sorted(permutation) != list(range(len(view.shape))):
        raise t.refusal(op, f"permutation {permutation}", t.source(op, 1), DAMAGED_HELP)
    moved = layout.transpose(view, permutation)
    target = t.target(op)
    if t.shape(op, target) != moved.shape:
        raise t.refusal(op, f"output shape is not {list(moved.shape)}", target, DAMAGED_HELP)
    t.alias(op, moved, "moves no data, left out" if moved.order is None else "is folded away")


def shape(t: Translation, op: FileOp) -> None:
    """SHAPE of a tensor whose shape is fixed: a constant."""
    tensor = t.source(op, 0)
    t.constants[t.target(op).index] = np.asarray(t.shape(op, tensor), np.int64)
    t.notes.append(f"{op} is a constant")


def constant(t: Translation, op: FileOp) -> None:
    """An op of `constants.FOLDABLE` on constants."""
    inputs = []
    for position in range(len(op.inputs)):
        tensor = t.source(op, position)
        if tensor.index in t.views or (tensor.data is None and tensor.index not in t.constants):
            raise t.refusal(
                op,
                f"{op.code} of activations is not supported (only of constants)",
                tensor,
                "use ADD to join branches" if op.code == "CONCATENATION" else _FIXED_HELP,
            )
        inputs.append(t.ints(op, position))
    target = t.target(op)
    try:
        value = constants.fold(op.code, inputs, op.options)
    except (ValueError, IndexError, OverflowError) as error:
        raise t.refusal(op, f"cannot be folded: {error}", target, _FIXED_HELP) from error
    t.constants[target.index] = value
    t.notes.append(f"{op} is a constant")


def quantize(t: Translation, op: FileOp) -> None:
    """QUANTIZE: taken off at the ends of the model, a requantization inside."""
    source, target = t.source(op, 0), t.target(op)
    if source.index == t.file.input and source.dtype in ("float32", "uint8"):
        _take_input(t, op)
    elif target.index == t.file.output and target.dtype == "uint8":
        _give_output(t, op)
    else:
        requantize(t, op)


def dequantize(t: Translation, op: FileOp) -> None:
    """DEQUANTIZE to float32: taken off at the end of the model."""
    target = t.target(op)
    if target.index != t.file.output:
        raise t.refusal(op, "floating point inside the model is not supported", target, INT8_HELP)
    t.require_quantized(op, target, "float32")
    _give_output(t, op)


def _take_input(t: Translation, op: FileOp) -> None:
    """The graph begins behind the QUANTIZE of a float32 or uint8 input."""
    source, target = t.source(op, 0), t.target(op)
    size = t.shape(op, target)
    if t.input is not None:
        raise t.refusal(
            op, "quantizes the model's input a second time", target, "convert the model again"
        )
    if size != source.shape:
        raise t.refusal(op, f"output shape is not {list(source.shape)}", target, DAMAGED_HELP)
    quant = t.quantization(op, target)
    if source.dtype == "uint8":
        _require_shifted(t, op, source, quant)
    name = t.add_tensor(target.name, size, quant)
    t.alias(op, layout.View(name, size), f"is taken off: the model's input is {source.dtype}")
    t.input = Port(name, source.shape, source.dtype)


def _give_output(t: Translation, op: FileOp) -> None:
    """The graph ends before the QUANTIZE to uint8 or DEQUANTIZE to float32 of the output."""
    view = t.activation(op)
    source, target = t.source(op, 0), t.target(op)
    t.require_plain(op, view)
    if t.shape(op, target) != view.shape:
        raise t.refusal(op, f"output shape is not {list(view.shape)}", target, DAMAGED_HELP)
    if target.dtype == "uint8":
        _require_shifted(t, op, target, t.quantization(op, source))
    t.notes.append(f"{op} is taken off: the model's output is {target.dtype}")
    t.output = Port(view.tensor, target.shape, target.dtype)


def _require_shifted(t: Translation, op: FileOp, unsigned: FileTensor, quant: Quantization) -> None:
    """A uint8 end must mean int8 + 128: the same scale, the zero point 128 higher."""
    scales, zeros = unsigned.scales, unsigned.zero_points
    zero = int(zeros[0]) if zeros.size else 0
    if scales.size != 1 or float(scales[0]) != quant.per_tensor or zero != quant.zero_point + 128:
        raise t.refusal(
            op,
            "uint8 values are rescaled, not only shifted by 128",
            unsigned,
            "convert with inference_input_type and inference_output_type int8",
        )
