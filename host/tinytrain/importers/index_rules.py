"""Rules for a model whose input are indices: rows of a table, chosen by an int32 input."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tinytrain.importers.geometry import option
from tinytrain.importers.tflite_file import FileOp, FileTensor
from tinytrain.importers.translation import DAMAGED_HELP, INT8_HELP, Translation
from tinytrain.ir.ops import Embedding

_TABLE_HELP = "look rows up in a constant table by the model's int32 input, as an Embedding does"


def gather(t: Translation, op: FileOp) -> None:
    """GATHER of the rows of a constant table [V, D] by the model's input."""
    axis, batch = option(t, op, "Axis"), option(t, op, "BatchDims")
    table = t.source(op, 0)
    if axis not in (0, -len(table.shape)) or batch != 0:
        raise t.refusal(
            op,
            f"axis {axis} and batch_dims {batch}; axis 0 of a table is supported, batch_dims 0",
            table,
            _TABLE_HELP,
        )
    _lookup(t, op, table, t.source(op, 1))


def embedding_lookup(t: Translation, op: FileOp) -> None:
    """EMBEDDING_LOOKUP: the same, the operands in the other order."""
    _lookup(t, op, t.source(op, 1), t.source(op, 0))


def _lookup(t: Translation, op: FileOp, table: FileTensor, positions: FileTensor) -> None:
    values, quant = _read_table(t, op, table), t.quantization(op, table)
    if t.indices is None or positions.index != t.indices[0]:
        raise t.refusal(
            op,
            "the indices are not the model's input, or that is not int32",
            positions,
            "give the indices as the model's only input, int32, without ops in between",
        )
    if quant != t.quantization(op, t.target(op)):
        raise t.refusal(
            op,
            "table and output are scaled differently, but the op does not rescale",
            t.target(op),
            "quantize the model again with a current converter",
        )
    shape, (rows, depth) = (*positions.shape, values.shape[1]), values.shape
    if t.shape(op, t.target(op)) != shape:
        raise t.refusal(op, f"output shape is not {list(shape)}", t.target(op), DAMAGED_HELP)
    name = t.add_tensor(table.name, values.shape, quant, values)
    t.note_reader(op, table)
    attrs = Embedding(rows, depth, int(np.prod(positions.shape)))
    t.emit(op, "embedding", (t.indices[1], name), attrs)


def _read_table(t: Translation, op: FileOp, table: FileTensor) -> NDArray[np.int8]:
    """The table [V, D]."""
    if table.data is None or len(table.shape) != 2:
        what = "computed at run time" if table.data is None else f"of shape {list(table.shape)}"
        raise t.refusal(op, f"a table {what}, expected a constant [rows, depth]", table,
                        _TABLE_HELP)  # fmt: skip
    if table.dtype == "float32":
        raise t.refusal(op, "a float32 table", table, INT8_HELP)
    t.require_quantized(op, table)
    return t.values(op, table).astype(np.int8, copy=False)
