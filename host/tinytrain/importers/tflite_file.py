"""Reads a .tflite file into plain typed values, whatever bytes it is made of.

Everything that the importer may want is read here, at once: the flatbuffer library trusts offsets,
so this is the one place where a damaged file can surprise, and its surprises become
ImportModelError. What a number means is left to the importer.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import tflite
from numpy.typing import NDArray

from tinytrain.errors import ImportModelError

_IDENTIFIER: Final = b"TFL3"
_SMALLEST_FILE: Final = 16

# Far above any model for a microcontroller; they keep a damaged length from costing minutes.
_MOST_OPS: Final = 4096
_MOST_TENSORS: Final = 16384
_MOST_CODES: Final = 1024
_MOST_OPERANDS: Final = 256
_MOST_DIMENSIONS: Final = 8
_LONGEST_NAME: Final = 1024

# What reading a wrong offset, length or enum value may raise.
_DAMAGE: Final = (
    struct.error,
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    TypeError,
    ValueError,
)

_CONV: Final = (
    "Padding",
    "StrideH",
    "StrideW",
    "DilationHFactor",
    "DilationWFactor",
    "FusedActivationFunction",
)
_POOL: Final = (
    "Padding",
    "StrideH",
    "StrideW",
    "FilterHeight",
    "FilterWidth",
    "FusedActivationFunction",
)
_SLICE: Final = tuple(f"{m}Mask" for m in ("Begin", "End", "Ellipsis", "NewAxis", "ShrinkAxis"))

# The options that are read, per op: the schema's table and the fields.
_OPTIONS: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "ADD": ("AddOptions", ("FusedActivationFunction",)),
    "AVERAGE_POOL_2D": ("Pool2DOptions", _POOL),
    "CONCATENATION": ("ConcatenationOptions", ("Axis",)),
    "CONV_2D": ("Conv2DOptions", _CONV),
    "DEPTHWISE_CONV_2D": ("DepthwiseConv2DOptions", (*_CONV, "DepthMultiplier")),
    "FULLY_CONNECTED": ("FullyConnectedOptions", ("FusedActivationFunction", "WeightsFormat")),
    "GATHER": ("GatherOptions", ("Axis", "BatchDims")),
    "MAX_POOL_2D": ("Pool2DOptions", _POOL),
    "PACK": ("PackOptions", ("Axis",)),
    "SOFTMAX": ("SoftmaxOptions", ("Beta",)),
    "STRIDED_SLICE": ("StridedSliceOptions", _SLICE),
}


@dataclass(frozen=True, slots=True, eq=False)
class FileTensor:
    """A tensor as the file has it.

    dtype: the schema's type in lower case ("int8", "float32"). signature: shape with -1 where it is
    left open, if the file says. data: the bytes of a constant.
    oddity: why it cannot be used, if so.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    signature: tuple[int, ...]
    dtype: str
    scales: NDArray[np.float32]
    zero_points: NDArray[np.int64]
    axis: int
    data: NDArray[np.uint8] | None
    oddity: str = ""


@dataclass(frozen=True, slots=True)
class FileOp:
    """An operator: its place, its name, tensor indices (-1: left out), and its options."""

    index: int
    code: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, int | float | bool]

    def __str__(self) -> str:
        return f"op {self.index} {self.code}"


@dataclass(frozen=True, slots=True)
class TfliteFile:
    """A model of one subgraph with one input and one output (tensor indices)."""

    path: Path
    tensors: tuple[FileTensor, ...]
    ops: tuple[FileOp, ...]
    input: int
    output: int


def read_tflite(path: Path) -> TfliteFile:
    """Read a file; raises ImportModelError if it is missing, damaged, or not one plain subgraph."""
    data = _read_bytes(path)
    try:
        return _read_model(path, data)
    except _DAMAGE as error:
        reason = str(error) or type(error).__name__
        raise ImportModelError(
            f"{path}: the file is damaged or cut short ({reason}); get or convert it again"
        ) from error


def _read_bytes(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ImportModelError(f"{path}: {reason}; check the path of the model file") from error
    if not data:
        raise ImportModelError(f"{path}: the file is empty; get or convert it again")
    if len(data) < _SMALLEST_FILE or data[4:8] != _IDENTIFIER:
        raise ImportModelError(
            f"{path}: this is no .tflite file (the mark TFL3 is missing at byte 4); "
            "get or convert it again"
        )
    return data


def _read_model(path: Path, data: bytes) -> TfliteFile:
    model = tflite.Model.GetRootAs(data, 0)
    subgraphs = model.SubgraphsLength()
    if subgraphs != 1:
        raise ImportModelError(
            f"{path}: {subgraphs} subgraphs, expected 1; export the inference function alone, "
            "without control flow (IF, WHILE) and without training signatures"
        )
    graph = model.Subgraphs(0)
    tensors = tuple(
        _read_tensor(model, graph.Tensors(i), i)
        for i in _counted(graph.TensorsLength(), _MOST_TENSORS, "tensors")
    )
    codes = [
        _code_name(model.OperatorCodes(i))
        for i in _counted(model.OperatorCodesLength(), _MOST_CODES, "operator codes")
    ]
    ops = tuple(
        _read_op(graph.Operators(i), i, codes, len(tensors))
        for i in _counted(graph.OperatorsLength(), _MOST_OPS, "operators")
    )
    ends = [
        _one_end(path, what, _operands(length, values, len(tensors)))
        for what, length, values in (
            ("inputs", graph.InputsLength, graph.InputsAsNumpy),
            ("outputs", graph.OutputsLength, graph.OutputsAsNumpy),
        )
    ]
    return TfliteFile(path, tensors, ops, ends[0], ends[1])


def _one_end(path: Path, what: str, indices: tuple[int, ...]) -> int:
    if len(indices) != 1 or indices[0] < 0:
        raise ImportModelError(
            f"{path}: {len(indices)} model {what}, expected 1; export a model with one "
            "input tensor and one output tensor"
        )
    return indices[0]


def _counted(length: int, most: int, what: str) -> range:
    if length > most:
        raise ValueError(f"{length} {what}")
    return range(length)


def _ints(
    length: Callable[[], int], values: Callable[[], Any], most: int, what: str
) -> tuple[int, ...]:
    """A vector of numbers; an absent one is empty."""
    if not _counted(length(), most, what):
        return ()
    return tuple(int(v) for v in values())


def _operands(
    length: Callable[[], int], values: Callable[[], Any], tensors: int
) -> tuple[int, ...]:
    indices = _ints(length, values, _MOST_OPERANDS, "operands")
    for index in indices:
        if not -1 <= index < tensors:
            raise ValueError(f"tensor {index} of {tensors}")
    return indices


def _enum_names(enum: Any) -> dict[int, str]:
    return {v: k for k, v in vars(enum).items() if isinstance(v, int) and not k.startswith("_")}


def _code_name(code: Any) -> str:
    # Old files use the one-byte field; new ones the wide one, and the larger of the two counts.
    number = max(int(code.BuiltinCode()), int(code.DeprecatedBuiltinCode()))
    if number == tflite.BuiltinOperator.CUSTOM:
        name = code.CustomCode()
        return f"CUSTOM ({_text(name)})" if name else "CUSTOM"
    return _enum_names(tflite.BuiltinOperator).get(number, f"BUILTIN {number}")


def _text(name: bytes | None) -> str:
    return (name or b"")[:_LONGEST_NAME].decode("utf-8", "replace")


def _read_tensor(model: Any, tensor: Any, index: int) -> FileTensor:
    quantization = tensor.Quantization()
    scales: NDArray[np.float32] = np.zeros(0, np.float32)
    zero_points: NDArray[np.int64] = np.zeros(0, np.int64)
    axis = 0
    if quantization is not None and quantization.ScaleLength():
        scales = quantization.ScaleAsNumpy()
        axis = int(quantization.QuantizedDimension())
        if quantization.ZeroPointLength():
            zero_points = quantization.ZeroPointAsNumpy()
    data, oddity = _constant(model, tensor)
    return FileTensor(
        index,
        _text(tensor.Name()) or f"tensor_{index}",
        _ints(tensor.ShapeLength, tensor.ShapeAsNumpy, _MOST_DIMENSIONS, "dimensions"),
        _ints(
            tensor.ShapeSignatureLength,
            tensor.ShapeSignatureAsNumpy,
            _MOST_DIMENSIONS,
            "dimensions",
        ),
        _enum_names(tflite.TensorType).get(tensor.Type(), f"type {tensor.Type()}").lower(),
        scales,
        zero_points,
        axis,
        data,
        oddity,
    )


def _constant(model: Any, tensor: Any) -> tuple[NDArray[np.uint8] | None, str]:
    """The bytes of a constant tensor, if it is one, and why it cannot be used, if so."""
    if not 0 <= tensor.Buffer() < model.BuffersLength():
        raise ValueError(f"buffer {tensor.Buffer()} of {model.BuffersLength()}")
    buffer = model.Buffers(tensor.Buffer())
    data = buffer.DataAsNumpy() if buffer.DataLength() else None
    if buffer.Offset() > 1:
        return data, "its values are stored outside the flatbuffer"
    if tensor.Sparsity() is not None:
        return data, "it is sparse"
    if tensor.IsVariable():
        return data, "it is a variable (state kept between calls)"
    return data, ""


def _read_op(op: Any, index: int, codes: list[str], tensors: int) -> FileOp:
    code = codes[op.OpcodeIndex()]
    return FileOp(
        index,
        code,
        _operands(op.InputsLength, op.InputsAsNumpy, tensors),
        _operands(op.OutputsLength, op.OutputsAsNumpy, tensors),
        _read_options(op, code),
    )


def _read_options(op: Any, code: str) -> Mapping[str, int | float | bool]:
    """The fields of `_OPTIONS`; empty if the op has none or the file leaves them out."""
    if code not in _OPTIONS:
        return {}
    table, fields = _OPTIONS[code]
    stored = op.BuiltinOptions()
    if stored is None or op.BuiltinOptionsType() != getattr(tflite.BuiltinOptions, table):
        return {}
    options = getattr(tflite, table)()
    options.Init(stored.Bytes, stored.Pos)
    return {field: getattr(options, field)() for field in fields}
