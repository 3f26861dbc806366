"""Writes .tflite files: the inverse of the importer.

For tests, and for models that were trained outside TensorFlow. `ops.py` lists the operators that
can be written. Values are stored as given: the writer checks names, types and tensor indices, not
whether an operator's shapes make sense, so that tests can also write models that an importer has to
refuse.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import flatbuffers
import numpy as np
import tflite
from numpy.typing import ArrayLike, DTypeLike, NDArray

from tinytrain.exporters.ops import (
    OPS,
    ExportError,
    complete_options,
    default_version,
    tensor_type,
)

FILE_IDENTIFIER: Final = b"TFL3"
SCHEMA_VERSION: Final = 3

# Runtimes read constants in place, so their bytes start on a boundary any vector load accepts.
_BUFFER_ALIGNMENT: Final = 16

# Opcodes from 127 on do not fit the one-byte field that old readers look at.
_LARGEST_DEPRECATED_OPCODE: Final = 127


@dataclass(frozen=True, slots=True)
class _Tensor:
    name: str
    shape: tuple[int, ...]
    shape_signature: tuple[int, ...] | None
    type: int
    data: bytes | None
    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    axis: int


@dataclass(frozen=True, slots=True)
class _Op:
    code: str
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Any]


class TfliteWriter:
    """Collects the tensors and operators of one subgraph and turns them into a .tflite file.

    Tensors are made first and named by the index that `tensor` returns; operators are executed in
    the order in which `op` was called.
    """

    __slots__ = ("_description", "_ops", "_tensors")

    def __init__(self, description: str = "tinytrain") -> None:
        """`description` is stored in the file for people to read."""
        self._description = description
        self._tensors: list[_Tensor] = []
        self._ops: list[_Op] = []

    def tensor(
        self,
        name: str,
        shape: Sequence[int],
        dtype: DTypeLike,
        *,
        data: ArrayLike | None = None,
        scale: float | Sequence[float] | NDArray[np.floating] | None = None,
        zero_point: int | Sequence[int] | NDArray[np.integer] = 0,
        axis: int = 0,
        shape_signature: Sequence[int] | None = None,
    ) -> int:
        """Adds a tensor and returns its index.

        Images are NHWC. Weights: CONV_2D [out, height, width, in] with `axis` 0, DEPTHWISE_CONV_2D
        [1, height, width, in * multiplier] with `axis` 3, FULLY_CONNECTED [out, in] with `axis` 0.

        `data` makes it a constant: values of `shape` that `dtype` holds exactly. `scale` makes it
        quantized, real = scale * (stored - zero_point): a number for the whole tensor, or one per
        index of dimension `axis`; a single `zero_point` then serves all of them. A
        `shape_signature` with -1 marks dimensions that the model leaves open.
        """
        dims = tuple(int(size) for size in shape)
        scales = () if scale is None else _flat(scale, np.float32)
        zero_points = () if scale is None else _flat(zero_point, np.int64)
        if len(scales) > 1 and len(zero_points) == 1:
            zero_points *= len(scales)
        _check_quantization(name, dims, scales, zero_points, axis)
        self._tensors.append(
            _Tensor(
                name=name,
                shape=dims,
                shape_signature=None if shape_signature is None else tuple(shape_signature),
                type=tensor_type(name, dtype),
                data=None if data is None else _payload(name, dims, np.dtype(dtype), data),
                scales=scales,
                zero_points=zero_points,
                axis=axis,
            )
        )
        return len(self._tensors) - 1

    def op(
        self,
        code: str,
        inputs: Sequence[int],
        outputs: Sequence[int],
        *,
        version: int | None = None,
        **options: object,
    ) -> None:
        """Adds an operator, by its name in the schema ("CONV_2D").

        `inputs` and `outputs` are tensor indices; -1 stands for an input left out, such as an
        absent bias. `options` are the schema's fields in snake case; enumerations are strings:
        padding="SAME", fused_activation_function="RELU6". `version` defaults to that of the int8
        kernel.
        """
        spec = OPS.get(code)
        if spec is None:
            known = ", ".join(OPS)
            raise ExportError(f"{code}: not an operator this writer knows; it knows {known}")
        self._check_indices(f"{code} inputs", inputs, lowest=-1)
        self._check_indices(f"{code} outputs", outputs, lowest=0)
        values = complete_options(code, spec, options)
        if version is None:
            version = default_version(code, spec, inputs, values)
        self._ops.append(_Op(code, version, tuple(inputs), tuple(outputs), values))

    def bytes(self, inputs: Sequence[int], outputs: Sequence[int]) -> bytes:
        """The file, with these tensors as the model's inputs and outputs."""
        self._check_indices("model inputs", inputs, lowest=0)
        self._check_indices("model outputs", outputs, lowest=0)
        builder = flatbuffers.Builder(1024)
        # Buffer 0 is empty by convention and serves every tensor that is not a constant.
        payloads = [b"", *(t.data for t in self._tensors if t.data is not None)]
        buffers = _vector(builder, [_write_buffer(builder, payload) for payload in payloads])
        codes = sorted({(op.code, op.version) for op in self._ops})
        subgraph = self._write_subgraph(builder, codes, inputs, outputs)
        subgraphs = _vector(builder, [subgraph])
        opcodes = _vector(builder, [_write_opcode(builder, *code) for code in codes])
        description = builder.CreateString(self._description)
        tflite.ModelStart(builder)
        tflite.ModelAddVersion(builder, SCHEMA_VERSION)
        tflite.ModelAddOperatorCodes(builder, opcodes)
        tflite.ModelAddSubgraphs(builder, subgraphs)
        tflite.ModelAddDescription(builder, description)
        tflite.ModelAddBuffers(builder, buffers)
        builder.Finish(tflite.ModelEnd(builder), FILE_IDENTIFIER)
        return bytes(builder.Output())

    def _write_subgraph(
        self,
        builder: flatbuffers.Builder,
        codes: Sequence[tuple[str, int]],
        inputs: Sequence[int],
        outputs: Sequence[int],
    ) -> int:
        tensors = []
        next_buffer = 1
        for tensor in self._tensors:
            buffer = 0 if tensor.data is None else next_buffer
            next_buffer += tensor.data is not None
            tensors.append(_write_tensor(builder, tensor, buffer))
        ops = [_write_op(builder, op, codes.index((op.code, op.version))) for op in self._ops]
        tensor_vector = _vector(builder, tensors)
        op_vector = _vector(builder, ops)
        input_vector = _ints(builder, inputs)
        output_vector = _ints(builder, outputs)
        name = builder.CreateString("main")
        tflite.SubGraphStart(builder)
        tflite.SubGraphAddTensors(builder, tensor_vector)
        tflite.SubGraphAddInputs(builder, input_vector)
        tflite.SubGraphAddOutputs(builder, output_vector)
        tflite.SubGraphAddOperators(builder, op_vector)
        tflite.SubGraphAddName(builder, name)
        return int(tflite.SubGraphEnd(builder))

    def _check_indices(self, what: str, indices: Iterable[int], *, lowest: int) -> None:
        for index in indices:
            if not lowest <= index < len(self._tensors):
                raise ExportError(
                    f"{what}: there is no tensor {index}; {len(self._tensors)} were made"
                )


def _flat(values: object, dtype: DTypeLike) -> tuple[Any, ...]:
    """A number or a sequence of numbers as a tuple of Python numbers, rounded to `dtype`."""
    return tuple(np.atleast_1d(np.asarray(values, dtype)).reshape(-1).tolist())


def _payload(name: str, shape: tuple[int, ...], dtype: np.dtype[Any], data: ArrayLike) -> bytes:
    """The little-endian bytes of a constant; refuses values that `dtype` cannot hold."""
    given = np.asarray(data)
    if given.shape != shape:
        raise ExportError(f"tensor {name}: data has shape {given.shape}, expected {shape}")
    stored = given.astype(dtype.newbyteorder("<"))
    if dtype.kind in "iu" and not np.array_equal(stored, given):
        raise ExportError(f"tensor {name}: data does not fit {dtype.name} exactly")
    return stored.tobytes()


def _check_quantization(
    name: str,
    shape: tuple[int, ...],
    scales: tuple[float, ...],
    zero_points: tuple[int, ...],
    axis: int,
) -> None:
    if len(scales) != len(zero_points):
        raise ExportError(f"tensor {name}: {len(scales)} scales but {len(zero_points)} zero points")
    if len(scales) <= 1:
        return
    # Published files carry the weights' axis on their 1-D biases too, where it can mean nothing.
    sizes = shape if len(shape) == 1 else shape[axis : axis + 1]
    if sizes != (len(scales),):
        raise ExportError(
            f"tensor {name}: {len(scales)} scales do not fit dimension {axis} of shape {shape}"
        )


def _vector(builder: flatbuffers.Builder, offsets: Sequence[int]) -> int:
    """A vector of tables written before; FlatBuffers fills vectors from the back."""
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


def _ints(builder: flatbuffers.Builder, values: Sequence[int], dtype: DTypeLike = np.int32) -> int:
    return int(builder.CreateNumpyVector(np.asarray(values, dtype)))


def _write_buffer(builder: flatbuffers.Builder, payload: bytes) -> int:
    if not payload:
        tflite.BufferStart(builder)
        return int(tflite.BufferEnd(builder))
    builder.Prep(_BUFFER_ALIGNMENT, len(payload))
    data = builder.CreateByteVector(payload)
    tflite.BufferStart(builder)
    tflite.BufferAddData(builder, data)
    return int(tflite.BufferEnd(builder))


def _write_quantization(builder: flatbuffers.Builder, tensor: _Tensor) -> int:
    scale = zero_point = None
    if tensor.scales:
        scale = builder.CreateNumpyVector(np.asarray(tensor.scales, np.float32))
        zero_point = _ints(builder, tensor.zero_points, np.int64)
    tflite.QuantizationParametersStart(builder)
    if scale is not None:
        tflite.QuantizationParametersAddScale(builder, scale)
        tflite.QuantizationParametersAddZeroPoint(builder, zero_point)
        tflite.QuantizationParametersAddQuantizedDimension(builder, tensor.axis)
    return int(tflite.QuantizationParametersEnd(builder))


def _write_tensor(builder: flatbuffers.Builder, tensor: _Tensor, buffer: int) -> int:
    name = builder.CreateString(tensor.name)
    shape = _ints(builder, tensor.shape)
    signature = None if tensor.shape_signature is None else _ints(builder, tensor.shape_signature)
    quantization = _write_quantization(builder, tensor)
    tflite.TensorStart(builder)
    tflite.TensorAddShape(builder, shape)
    tflite.TensorAddType(builder, tensor.type)
    tflite.TensorAddBuffer(builder, buffer)
    tflite.TensorAddName(builder, name)
    tflite.TensorAddQuantization(builder, quantization)
    if signature is not None:
        tflite.TensorAddShapeSignature(builder, signature)
    return int(tflite.TensorEnd(builder))


def _write_opcode(builder: flatbuffers.Builder, code: str, version: int) -> int:
    number = getattr(tflite.BuiltinOperator, code)
    tflite.OperatorCodeStart(builder)
    tflite.OperatorCodeAddDeprecatedBuiltinCode(builder, min(number, _LARGEST_DEPRECATED_OPCODE))
    tflite.OperatorCodeAddBuiltinCode(builder, number)
    tflite.OperatorCodeAddVersion(builder, version)
    return int(tflite.OperatorCodeEnd(builder))


def _write_op(builder: flatbuffers.Builder, op: _Op, opcode_index: int) -> int:
    table = OPS[op.code].options
    options = 0 if table is None else _write_options(builder, table, op.options)
    inputs = _ints(builder, op.inputs)
    outputs = _ints(builder, op.outputs)
    tflite.OperatorStart(builder)
    tflite.OperatorAddOpcodeIndex(builder, opcode_index)
    tflite.OperatorAddInputs(builder, inputs)
    tflite.OperatorAddOutputs(builder, outputs)
    if table is not None:
        tflite.OperatorAddBuiltinOptionsType(builder, getattr(tflite.BuiltinOptions, table))
        tflite.OperatorAddBuiltinOptions(builder, options)
    return int(tflite.OperatorEnd(builder))


def _write_options(builder: flatbuffers.Builder, table: str, options: Mapping[str, Any]) -> int:
    """Writes the schema's `table`, whose generated functions are found by the fields' names."""
    stored = {
        name: _ints(builder, value) if isinstance(value, tuple) else value
        for name, value in options.items()
        if value != ()
    }
    getattr(tflite, f"{table}Start")(builder)
    for name, value in stored.items():
        field = "".join(part.capitalize() for part in name.split("_"))
        getattr(tflite, f"{table}Add{field}")(builder, value)
    return int(getattr(tflite, f"{table}End")(builder))
