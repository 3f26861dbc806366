"""What the op rules of the .tflite importer share: the file, the graph so far, and refusals."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tinytrain.errors import ImportModelError
from tinytrain.importers.constants import Ints
from tinytrain.importers.layout import View
from tinytrain.importers.tflite_file import FileOp, FileTensor, TfliteFile
from tinytrain.ir import Node, Port, Quantization, Tensor
from tinytrain.ir.ops import Attributes, Hwc
from tinytrain.ir.tensor import RESERVED

INT8_HELP: Final = (
    "convert with full-integer quantization (int8): Optimize.DEFAULT, a representative_dataset "
    "and OpsSet.TFLITE_BUILTINS_INT8"
)
NHWC_HELP: Final = "export the model channels-last (NHWC), so that no TRANSPOSE is left"
DAMAGED_HELP: Final = "the file seems damaged; convert it again"
QUANTIZATION_HELP: Final = "quantize the model again with a current converter"

# Larger than the memory of any board; keeps a damaged shape from costing gigabytes here.
MOST_ELEMENTS: Final = 1 << 24

_TYPE_HELP: Final = {
    "uint8": "uint8 quantization of TensorFlow 1 is not supported; " + INT8_HELP,
    "int16": "int16 activations (16x8 quantization) are not supported; " + INT8_HELP,
    "int4": "int4 is not supported; " + INT8_HELP,
    "int64": "int64 values belong to 16x8 quantization (an input of indices has to be int32); "
    + INT8_HELP,
}


class Translation:
    """A graph that grows op by op. Rules read operands, then `emit` a node or `alias` a view."""

    __slots__ = (
        "_counts",
        "constants",
        "file",
        "indices",
        "input",
        "nodes",
        "notes",
        "output",
        "readers",
        "tensors",
        "views",
    )

    def __init__(self, file: TfliteFile) -> None:
        self.file = file
        self.tensors: dict[str, Tensor] = {}
        self.nodes: list[Node] = []
        self.views: dict[int, View] = {}
        self.constants: dict[int, Ints] = {}
        self.notes: list[str] = []
        self.readers: dict[int, str] = {}  # of weight tensors
        self.indices: tuple[int, str] | None = None  # an int32 input: its index, and its name here
        self.input: Port | None = None
        self.output: Port | None = None
        self._counts: Counter[str] = Counter()

    # Refusals

    def refusal(
        self, op: FileOp | None, what: str, tensor: FileTensor | None, advice: str
    ) -> ImportModelError:
        """The error to raise: file, op with its index, what is wrong, tensor, what would help."""
        where = f"{self.file.path}: " + (f"{op}: " if op is not None else "")
        named = f" (tensor {tensor.index} {tensor.name!r})" if tensor is not None else ""
        return ImportModelError(f"{where}{what}{named}; {advice}")

    def require_quantized(self, op: FileOp | None, tensor: FileTensor, dtype: str = "int8") -> None:
        """Refuse a tensor of another type than `dtype`."""
        if tensor.dtype != dtype:
            raise self.refusal(
                op,
                f"{tensor.dtype} values where {dtype} is needed",
                tensor,
                _TYPE_HELP.get(tensor.dtype, INT8_HELP),
            )
        if tensor.oddity:
            raise self.refusal(op, f"a tensor cannot be used: {tensor.oddity}", tensor, INT8_HELP)

    # Operands

    def has_input(self, op: FileOp, position: int) -> bool:
        """Whether an optional operand is there."""
        return position < len(op.inputs) and op.inputs[position] >= 0

    def source(self, op: FileOp, position: int) -> FileTensor:
        """The file's tensor at an input position."""
        if not self.has_input(op, position):
            raise self.refusal(op, f"input {position} is missing", None, DAMAGED_HELP)
        return self.file.tensors[op.inputs[position]]

    def target(self, op: FileOp) -> FileTensor:
        """The file's tensor that an op of one output writes."""
        if len(op.outputs) != 1 or op.outputs[0] < 0:
            raise self.refusal(op, f"{len(op.outputs)} outputs, expected 1", None, DAMAGED_HELP)
        return self.file.tensors[op.outputs[0]]

    def activation(self, op: FileOp, position: int = 0) -> View:
        """The view of an int8 activation that an earlier op or the model's input has given."""
        tensor = self.source(op, position)
        if tensor.index in self.views:
            return self.views[tensor.index]
        if self.indices is not None and tensor.index == self.indices[0]:
            raise self.refusal(
                op,
                "int32 indices where an int8 activation is needed",
                tensor,
                "let GATHER (an Embedding) alone read the model's int32 input",
            )
        if tensor.data is None and tensor.index not in self.constants:
            self.require_quantized(op, tensor)
            raise self.refusal(op, "reads what no earlier op writes", tensor, DAMAGED_HELP)
        raise self.refusal(
            op,
            "a constant where an activation is needed",
            tensor,
            "fold the constant into the weights or the preprocessing",
        )

    def feature_map(self, op: FileOp) -> tuple[View, Hwc]:
        """The first operand as [1, H, W, C] in memory order."""
        view = self.activation(op)
        if len(view.shape) != 4 or view.shape[0] != 1:
            raise self.refusal(
                op,
                f"an input of shape {list(view.shape)}, expected [1, height, width, channels]",
                self.source(op, 0),
                "export the model with batch size 1",
            )
        self.require_plain(op, view)
        return view, Hwc(*view.shape[1:])

    def require_plain(
        self, op: FileOp | None, view: View, tensor: FileTensor | None = None
    ) -> None:
        """Refuse a view whose elements do not lie in memory in the order of the file."""
        if view.order is not None:
            named = tensor or (self.source(op, 0) if op is not None else None)
            raise self.refusal(
                op, "a transposed tensor that would have to be moved in memory", named, NHWC_HELP
            )

    def quantization(self, op: FileOp | None, tensor: FileTensor) -> Quantization:
        """The one scale (positive) and zero point of an int8 activation."""
        self.require_quantized(op, tensor)
        scales = tensor.scales
        zero = int(tensor.zero_points[0]) if tensor.zero_points.size else 0
        if scales.size != 1 or not (np.isfinite(scales[0]) and scales[0] > 0):
            found = f"{scales.size} scales" if scales.size != 1 else f"scale {scales[0]}"
            raise self.refusal(
                op, f"an activation with {found}, expected one positive scale", tensor, INT8_HELP
            )
        if tensor.zero_points.size > 1 or not -128 <= zero <= 127:
            raise self.refusal(
                op, f"zero points {tensor.zero_points[:4]} are none of int8", tensor, INT8_HELP
            )
        return Quantization((float(scales[0]),), zero)

    def require_same_quantization(self, op: FileOp) -> None:
        """Refuse an op that does not rescale but whose input and output are scaled differently."""
        source, target = self.source(op, 0), self.target(op)
        before, after = self.quantization(op, source), self.quantization(op, target)
        if before != after:
            raise self.refusal(
                op,
                f"input (scale {before.per_tensor:.6g}, zero point {before.zero_point}) and output "
                f"(scale {after.per_tensor:.6g}, zero point {after.zero_point}) differ, "
                "but the op does not rescale",
                target,
                QUANTIZATION_HELP,
            )

    def ints(self, op: FileOp, position: int) -> Ints:
        """A constant of integers (a shape, axes, paddings), from the file or folded."""
        tensor = self.source(op, position)
        if tensor.index in self.constants:
            return self.constants[tensor.index]
        if tensor.data is None or tensor.dtype not in ("int32", "int64", "int8"):
            raise self.refusal(
                op,
                f"input {position} is computed at run time",
                tensor,
                "export the model with fixed shapes",
            )
        return self.values(op, tensor).astype(np.int64)

    def values(self, op: FileOp, tensor: FileTensor) -> NDArray[np.integer]:
        """The elements of a constant of int8, int32 or int64, of the tensor's shape, aligned."""
        dtype = np.dtype(tensor.dtype).newbyteorder("<")
        shape = self.shape(op, tensor)
        if tensor.data is None or tensor.data.size != math.prod(shape) * dtype.itemsize:
            found = 0 if tensor.data is None else tensor.data.size
            raise self.refusal(
                op,
                f"a constant of shape {list(shape)} {tensor.dtype} with {found} bytes",
                tensor,
                DAMAGED_HELP if found else "make it a constant of the model",
            )
        values = np.frombuffer(tensor.data, dtype).astype(dtype.newbyteorder("="), copy=False)
        return np.require(values.reshape(shape), requirements=["A", "C"])

    def shape(self, op: FileOp | None, tensor: FileTensor) -> tuple[int, ...]:
        """The fixed shape of a tensor: no axis open, none empty."""
        shape = tensor.shape
        if any(n <= 0 for n in shape):
            raise self.refusal(
                op,
                f"shape {list(shape)} is not fixed",
                tensor,
                "export the model with a fixed input shape and batch size 1",
            )
        if math.prod(shape) > MOST_ELEMENTS:
            raise self.refusal(
                op, f"shape {list(shape)} is too large for a board", tensor, "use a smaller model"
            )
        return shape

    # Results

    def emit(
        self,
        op: FileOp,
        kind: str,
        inputs: Sequence[str],
        attrs: Attributes,
        *,
        prefix: str = "",
        order: NDArray[np.int32] | None = None,
        stored: tuple[int, ...] | None = None,
    ) -> None:
        """Add a node that writes the op's output.

        order: place of each element of the output if memory has another order than the file;
        stored is then the shape in memory order.
        """
        target = self.target(op)
        shape = self.shape(op, target)
        self._require_new(op, target)
        name = self.add_tensor(target.name, stored or shape, self.quantization(op, target))
        self.views[target.index] = View(name, shape, order)
        prefix = prefix or kind
        self._counts[prefix] += 1
        self.nodes.append(
            Node(
                kind,
                f"{prefix}_{self._counts[prefix]}",
                tuple(inputs),
                name,
                attrs,
                source=str(op),
                index=op.index,
            )
        )

    def alias(self, op: FileOp, view: View, note: str = "") -> None:
        """Let the op's output be a view of what is there already."""
        target = self.target(op)
        self._require_new(op, target)
        self.views[target.index] = view
        if note:
            self.notes.append(f"{op} {note}")

    def add_tensor(
        self,
        name: str,
        shape: tuple[int, ...],
        quant: Quantization,
        data: NDArray[np.int8] | NDArray[np.int32] | None = None,
        *,
        dtype: str = "int8",
    ) -> str:
        """Add a tensor to the graph under a name of its own, which is returned.

        dtype: of what has no data.
        """
        dtype = dtype if data is None else data.dtype.name
        name = name.replace(RESERVED, "_")
        unique, n = name, 1
        while unique in self.tensors:
            n += 1
            unique = f"{name}_{n}"
        self.tensors[unique] = Tensor(unique, shape, dtype, quant, data)
        return unique

    def note_reader(self, op: FileOp, weight: FileTensor) -> None:
        """Remember who reads a weight; each op trains a copy of its own, which a note says."""
        if weight.index in self.readers:
            self.notes.append(f"{op} and {self.readers[weight.index]} share weights, but train "
                              "them apart")  # fmt: skip
        self.readers[weight.index] = str(op)

    def _require_new(self, op: FileOp, target: FileTensor) -> None:
        if target.index in self.views or target.index in self.constants or target.data is not None:
            raise self.refusal(op, "writes a tensor that has a value", target, DAMAGED_HELP)
