"""Weights and biases: types, scales and axes, as the TFLM reference kernels read them."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from tinytrain.importers.tflite_file import FileOp, FileTensor
from tinytrain.importers.translation import (
    DAMAGED_HELP,
    INT8_HELP,
    QUANTIZATION_HELP,
    Translation,
)
from tinytrain.ir import Quantization

_WEIGHT: Final = 1
_BIAS: Final = 2


def read_weight(t: Translation, op: FileOp, rank: int) -> NDArray[np.int8]:
    """The int8 weights of an op, of their shape in the file; -128 is kept."""
    tensor = t.source(op, _WEIGHT)
    source = t.source(op, 0)
    if source.dtype == "float32" and tensor.dtype == "int8":
        raise t.refusal(
            op, "float32 activations with int8 weights (a hybrid op)", source, INT8_HELP
        )
    t.require_quantized(op, tensor)
    if tensor.data is None:
        raise t.refusal(
            op,
            "weights that are computed at run time",
            tensor,
            "export the model with its weights as constants",
        )
    values = t.values(op, tensor)
    if values.ndim != rank:
        raise t.refusal(op, f"weights of shape {list(values.shape)}", tensor, DAMAGED_HELP)
    return values.astype(np.int8, copy=False)


def add_parameters(
    t: Translation,
    op: FileOp,
    source: Quantization,
    weight: NDArray[np.int8],
    *,
    file_axis: int,
    axis: int,
) -> tuple[str, ...]:
    """Add an op's weight, and its bias if it has one, to the graph; their names.

    weight: as the graph wants it, output channels along `axis` (`file_axis` in the file).
    source: quantization of the op's input. Each op gets tensors of its own, even where two ops
    of the file share them: what is trained belongs to one node (a note says so).
    """
    tensor = t.source(op, _WEIGHT)
    channels = weight.shape[axis]
    scales = _weight_scales(t, op, tensor, channels, file_axis)
    many = len(scales) > 1
    name = t.add_tensor(tensor.name, weight.shape, _quantization(scales, axis), weight)
    t.note_reader(op, tensor)
    if not t.has_input(op, _BIAS):
        return (name,)
    # The reference adds the bias to the accumulator, whatever scale the file gives it.
    products = np.asarray(scales, np.float64) * source.per_tensor
    bias_scales = tuple(products.astype(np.float32).astype(np.float64).tolist())
    quant = Quantization(bias_scales, 0, 0 if many else None)
    bias = _read_bias(t, op, channels)
    return name, t.add_tensor(t.source(op, _BIAS).name, (channels,), quant, bias)


def _quantization(scales: tuple[float, ...], axis: int) -> Quantization:
    return Quantization(scales, 0, axis if len(scales) > 1 else None)


def _weight_scales(
    t: Translation, op: FileOp, tensor: FileTensor, channels: int, axis: int
) -> tuple[float, ...]:
    """One scale, or one per output channel; 0 (a dead channel) is possible."""
    scales = tensor.scales
    if not scales.size:
        raise t.refusal(op, "int8 weights without a scale", tensor, INT8_HELP)
    if scales.size > 1 and (scales.size != channels or tensor.axis != axis):
        raise t.refusal(
            op,
            f"{scales.size} weight scales along axis {tensor.axis}, expected one, or {channels} "
            f"along axis {axis}",
            tensor,
            QUANTIZATION_HELP,
        )
    if not np.all(np.isfinite(scales)) or np.any(scales < 0):
        raise t.refusal(
            op, "a weight scale that is negative or no number", tensor, QUANTIZATION_HELP
        )
    if np.any(tensor.zero_points != 0):
        raise t.refusal(
            op,
            "weights with a zero point other than 0",
            tensor,
            "quantize the weights symmetrically (the converter's default for int8)",
        )
    return tuple(float(s) for s in scales)


def _read_bias(t: Translation, op: FileOp, channels: int) -> NDArray[np.int32]:
    """The int32 biases [channels]. Their quantized dimension is of no account: 1-D has but one."""
    tensor = t.source(op, _BIAS)
    t.require_quantized(op, tensor, "int32")
    if np.any(tensor.zero_points != 0):
        raise t.refusal(op, "a bias with a zero point other than 0", tensor, QUANTIZATION_HELP)
    values = t.values(op, tensor)
    if values.size != channels:
        raise t.refusal(
            op, f"{values.size} biases for {channels} output channels", tensor, DAMAGED_HELP
        )
    return values.reshape(-1).astype(np.int32, copy=False)
