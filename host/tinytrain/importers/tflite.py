"""Full-int8 .tflite files to graphs: read, translate op by op, fold, verify."""

from __future__ import annotations

from pathlib import Path

from tinytrain.errors import ImportModelError
from tinytrain.importers.fold import drop_unused, fold_pads
from tinytrain.importers.layout import View
from tinytrain.importers.tflite_file import FileOp, TfliteFile, read_tflite
from tinytrain.importers.tflite_ops import ADVICE, RULES
from tinytrain.importers.translation import DAMAGED_HELP, INT8_HELP, Translation
from tinytrain.ir import Graph, Port, Quantization, verify
from tinytrain.ir.graph import plain_name


def import_tflite(path: Path) -> Graph:
    """The graph of a full-int8 .tflite file.

    Raises ImportModelError naming file, op, index and tensor, and what would help.
    """
    t = _translate(read_tflite(path))
    graph = drop_unused(fold_pads(_finish(t)))
    if t.indices is not None and not graph.indices:
        tensor = t.file.tensors[t.file.input]
        raise t.refusal(None, "the output does not depend on the input", tensor, DAMAGED_HELP)
    return verify(graph)


def _translate(file: TfliteFile) -> Translation:
    t = Translation(file)
    _begin(t)
    for op in file.ops:
        rule = RULES.get(op.code)
        if rule is None:
            raise _unknown(t, op)
        rule(t, op)
    return t


def _unknown(t: Translation, op: FileOp) -> ImportModelError:
    outputs = [t.file.tensors[i] for i in op.outputs if i >= 0]
    advice = ADVICE.get(op.code, f"use the ops that are: {', '.join(sorted(RULES))}")
    tensor = outputs[0] if outputs else None
    return t.refusal(op, "the op is not supported", tensor, advice)


def _begin(t: Translation) -> None:
    """Check the model's input, and make it a tensor of the graph if it is int8 or indices."""
    tensor = t.file.tensors[t.file.input]
    if tensor.dtype not in ("int8", "uint8", "float32", "int32"):
        t.require_quantized(None, tensor)
    shape = t.shape(None, tensor)
    # The converter writes 1 for an axis that was left open; for the batch that is right.
    guessed = [
        axis
        for axis, (n, size) in enumerate(zip(tensor.signature, shape, strict=False))
        if n < 0 and size == 1 and axis > 0
    ]
    if guessed or (len(shape) > 1 and shape[0] != 1):
        raise t.refusal(
            None,
            f"input shape {list(tensor.signature if guessed else shape)}",
            tensor,
            "export the model with a fixed input shape and batch size 1",
        )
    if tensor.dtype == "int8":
        name = t.add_tensor(tensor.name, shape, t.quantization(None, tensor))
        t.views[tensor.index] = View(name, shape)
        t.input = Port(name, shape)
    elif tensor.dtype == "int32":
        if not shape:
            raise t.refusal(None, "a scalar index", tensor, "give it the shape [1, 1]")
        name = t.add_tensor(tensor.name, shape, Quantization((1.0,)), dtype="int32")
        t.indices, t.input = (tensor.index, name), Port(name, shape, "int32")


def _finish(t: Translation) -> Graph:
    """The graph between the model's input and output."""
    tensor = t.file.tensors[t.file.output]
    if t.output is None:
        view = t.views.get(tensor.index)
        if view is None:
            t.require_quantized(None, tensor)
            raise t.refusal(None, "no op writes the model's output", tensor, DAMAGED_HELP)
        t.require_plain(None, view, tensor)
        t.output = Port(view.tensor, view.shape)
    if t.input is None:
        source = t.file.tensors[t.file.input]
        raise t.refusal(
            None, f"the model's {source.dtype} input is never quantized", source, INT8_HELP
        )
    if t.output.tensor == t.input.tensor:
        raise t.refusal(None, "the model computes nothing", tensor, "give a model with layers")
    name = plain_name(t.file.path.stem)
    return Graph(name, t.tensors, tuple(t.nodes), t.input, t.output, tuple(t.notes))
