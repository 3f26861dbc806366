"""Which operators can be written to a .tflite file, and what their options are: one row each.

An option bears the name that it has in the TFLite schema, in snake case.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import tflite
from numpy.typing import DTypeLike

from tinytrain.errors import TinyTrainError

TENSOR_TYPES: Final[Mapping[str, int]] = {
    "bool": tflite.TensorType.BOOL,
    "float16": tflite.TensorType.FLOAT16,
    "float32": tflite.TensorType.FLOAT32,
    "float64": tflite.TensorType.FLOAT64,
    "int16": tflite.TensorType.INT16,
    "int32": tflite.TensorType.INT32,
    "int64": tflite.TensorType.INT64,
    "int8": tflite.TensorType.INT8,
    "uint32": tflite.TensorType.UINT32,
    "uint8": tflite.TensorType.UINT8,
}

ENUMS: Final[Mapping[str, Mapping[str, int]]] = {
    "activation": {
        "NONE": tflite.ActivationFunctionType.NONE,
        "RELU": tflite.ActivationFunctionType.RELU,
        "RELU_N1_TO_1": tflite.ActivationFunctionType.RELU_N1_TO_1,
        "RELU6": tflite.ActivationFunctionType.RELU6,
        "TANH": tflite.ActivationFunctionType.TANH,
    },
    "padding": {"SAME": tflite.Padding.SAME, "VALID": tflite.Padding.VALID},
}


class ExportError(TinyTrainError, ValueError):
    """What was asked for cannot be stored in a model file."""


@dataclass(frozen=True, slots=True)
class OptionField:
    """One field of an operator's options: its schema name, its kind, and its default.

    `kind` is "int", "bool", "float", "ints" (a vector), "dtype" or a key of `ENUMS`. A default of
    None means that the caller has to say.
    """

    name: str
    kind: str = "int"
    default: int | bool | float | str | tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class OpSpec:
    """How one operator is written.

    `options` is the schema's table, or None for operators without one. `version` is the version of
    the int8 kernel, as TensorFlow's converter would choose it.
    """

    options: str | None
    version: int
    fields: tuple[OptionField, ...] = ()


_ACTIVATION = OptionField("fused_activation_function", "activation", "NONE")
_PADDING = OptionField("padding", "padding")
_STRIDES = (OptionField("stride_h"), OptionField("stride_w"))
_DILATION = (
    OptionField("dilation_h_factor", default=1),
    OptionField("dilation_w_factor", default=1),
)
_CONV = (_PADDING, *_STRIDES, *_DILATION, _ACTIVATION)
_POOL = (
    _PADDING,
    *_STRIDES,
    OptionField("filter_height"),
    OptionField("filter_width"),
    _ACTIVATION,
)
_KEEP_DIMS = OptionField("keep_dims", "bool", False)
_RESIZE = (
    OptionField("align_corners", "bool", False),
    OptionField("half_pixel_centers", "bool", False),
)
_MASKS = tuple(
    OptionField(f"{mask}_mask", default=0)
    for mask in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")
)

OPS: Final[Mapping[str, OpSpec]] = {
    "ABS": OpSpec("AbsOptions", 2),
    "ADD": OpSpec("AddOptions", 2, (_ACTIVATION,)),
    "ARG_MAX": OpSpec("ArgMaxOptions", 2, (OptionField("output_type", "dtype", "int32"),)),
    "AVERAGE_POOL_2D": OpSpec("Pool2DOptions", 2, _POOL),
    "BATCH_MATMUL": OpSpec(
        "BatchMatMulOptions",
        2,
        (OptionField("adj_x", "bool", False), OptionField("adj_y", "bool", False)),
    ),
    "CAST": OpSpec("CastOptions", 1),
    "CONCATENATION": OpSpec("ConcatenationOptions", 2, (OptionField("axis"), _ACTIVATION)),
    "CONV_2D": OpSpec("Conv2DOptions", 3, _CONV),
    "DEPTHWISE_CONV_2D": OpSpec(
        "DepthwiseConv2DOptions", 3, (*_CONV, OptionField("depth_multiplier", default=1))
    ),
    "DEQUANTIZE": OpSpec("DequantizeOptions", 2),
    "DIV": OpSpec("DivOptions", 1, (_ACTIVATION,)),
    "ELU": OpSpec(None, 1),
    "EMBEDDING_LOOKUP": OpSpec(None, 1),
    "EXP": OpSpec("ExpOptions", 2),
    "EXPAND_DIMS": OpSpec("ExpandDimsOptions", 1),
    "FULLY_CONNECTED": OpSpec(
        "FullyConnectedOptions",
        4,
        (_ACTIVATION, OptionField("keep_num_dims", "bool", False)),
    ),
    "GATHER": OpSpec(
        "GatherOptions", 2, (OptionField("axis"), OptionField("batch_dims", default=0))
    ),
    "GELU": OpSpec("GeluOptions", 2, (OptionField("approximate", "bool", False),)),
    "HARD_SWISH": OpSpec("HardSwishOptions", 1),
    "L2_NORMALIZATION": OpSpec("L2NormOptions", 2, (_ACTIVATION,)),
    "LEAKY_RELU": OpSpec("LeakyReluOptions", 2, (OptionField("alpha", "float"),)),
    "LOGISTIC": OpSpec(None, 2),
    "LOG_SOFTMAX": OpSpec("LogSoftmaxOptions", 2),
    "MAXIMUM": OpSpec("MaximumMinimumOptions", 2),
    "MAX_POOL_2D": OpSpec("Pool2DOptions", 2, _POOL),
    "MEAN": OpSpec("ReducerOptions", 2, (_KEEP_DIMS,)),
    "MINIMUM": OpSpec("MaximumMinimumOptions", 2),
    "MUL": OpSpec("MulOptions", 2, (_ACTIVATION,)),
    "PACK": OpSpec("PackOptions", 2, (OptionField("values_count"), OptionField("axis"))),
    "PAD": OpSpec("PadOptions", 2),
    "PADV2": OpSpec("PadV2Options", 2),
    "PRELU": OpSpec(None, 1),
    "QUANTIZE": OpSpec("QuantizeOptions", 1),
    "REDUCE_MAX": OpSpec("ReducerOptions", 2, (_KEEP_DIMS,)),
    "RELU": OpSpec(None, 2),
    "RELU6": OpSpec(None, 2),
    "RELU_N1_TO_1": OpSpec(None, 1),
    "RESHAPE": OpSpec("ReshapeOptions", 1, (OptionField("new_shape", "ints", ()),)),
    "RESIZE_BILINEAR": OpSpec("ResizeBilinearOptions", 3, _RESIZE),
    "RESIZE_NEAREST_NEIGHBOR": OpSpec("ResizeNearestNeighborOptions", 3, _RESIZE),
    "RSQRT": OpSpec(None, 2),
    "SHAPE": OpSpec("ShapeOptions", 1, (OptionField("out_type", "dtype", "int32"),)),
    "SLICE": OpSpec("SliceOptions", 2),
    "SOFTMAX": OpSpec("SoftmaxOptions", 2, (OptionField("beta", "float", 1.0),)),
    "SPACE_TO_DEPTH": OpSpec("SpaceToDepthOptions", 2, (OptionField("block_size"),)),
    "SPLIT": OpSpec("SplitOptions", 2, (OptionField("num_splits"),)),
    "SQUEEZE": OpSpec("SqueezeOptions", 1, (OptionField("squeeze_dims", "ints", ()),)),
    "STRIDED_SLICE": OpSpec("StridedSliceOptions", 2, _MASKS),
    "SUB": OpSpec("SubOptions", 2, (_ACTIVATION,)),
    "SUM": OpSpec("ReducerOptions", 2, (_KEEP_DIMS,)),
    "TANH": OpSpec(None, 2),
    "TRANSPOSE": OpSpec("TransposeOptions", 2),
    "TRANSPOSE_CONV": OpSpec("TransposeConvOptions", 3, (_PADDING, *_STRIDES)),
    "UNPACK": OpSpec("UnpackOptions", 2, (OptionField("num"), OptionField("axis"))),
}


def tensor_type(name: str, dtype: DTypeLike) -> int:
    """The schema's number for the type of tensor `name`."""
    key = np.dtype(dtype).name
    if key not in TENSOR_TYPES:
        known = ", ".join(TENSOR_TYPES)
        raise ExportError(f"tensor {name}: type {key} cannot be stored; these can: {known}")
    return TENSOR_TYPES[key]


def complete_options(code: str, spec: OpSpec, given: Mapping[str, object]) -> dict[str, Any]:
    """Every option of the operator as the number(s) to store, defaults filled in."""
    names = [field.name for field in spec.fields]
    unknown = sorted(set(given) - set(names))
    if unknown:
        raise ExportError(
            f"{code}: unknown option {', '.join(unknown)}; it has {', '.join(names) or 'none'}"
        )
    missing = [f.name for f in spec.fields if f.default is None and f.name not in given]
    if missing:
        raise ExportError(f"{code}: option {', '.join(missing)} must be given")
    return {f.name: _encode(code, f, given.get(f.name, f.default)) for f in spec.fields}


def _encode(code: str, field: OptionField, value: Any) -> Any:
    """One option as the schema stores it: enumerations and types become their numbers."""
    try:
        if field.kind in ENUMS:
            return ENUMS[field.kind][value]
        if field.kind == "dtype":
            return TENSOR_TYPES[np.dtype(value).name]
        if field.kind == "ints":
            return tuple(int(item) for item in value)
        return {"int": int, "bool": bool, "float": float}[field.kind](value)
    except (KeyError, TypeError, ValueError) as error:
        expected = ", ".join(ENUMS.get(field.kind, {})) or f"a value of kind {field.kind}"
        raise ExportError(
            f"{code}: option {field.name} is {value!r}, expected {expected}"
        ) from error


def default_version(
    code: str, spec: OpSpec, inputs: Sequence[int], options: Mapping[str, Any]
) -> int:
    """The version of the int8 kernel; FULLY_CONNECTED has newer ones for what it learnt later."""
    if code == "FULLY_CONNECTED":
        if len(inputs) == 2:
            return 6
        if options["keep_num_dims"]:
            return 5
    return spec.version
