"""What a model consists of, in a table: shapes, work, parameters and quantization of every op."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.markup import escape
from rich.table import Table

from tinytrain.ir import Graph, Node, Quantization
from tinytrain.ir.ops import (
    Add,
    AveragePool2D,
    Conv2D,
    DepthwiseConv2D,
    Embedding,
    Hwc,
    MaxPool2D,
    Mean,
    Pad,
    Requantize,
    Softmax,
    Window,
)
from tinytrain.passes.lower_forward import macs_of

_INT8_RANGE = (-128, 127)


@dataclass(frozen=True, slots=True)
class Row:
    """One op.

    index: operator index in the model file. inputs: shapes of the activations that it reads.
    macs: multiply-accumulates of one forward pass, padding counted in. weights, biases: numbers of
    parameters. quantization: scale and zero point of the output, kind of weight scales, clamp.
    trainable: whether an update scheme can name it.
    """

    index: int
    name: str
    op: str
    detail: str
    inputs: tuple[tuple[int, ...], ...]
    output: tuple[int, ...]
    macs: int
    weights: int
    biases: int
    quantization: str
    trainable: bool


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over the rows of a model."""

    macs: int
    weights: int
    biases: int


def summarize(graph: Graph) -> list[Row]:
    """One row per node, in the order of execution."""
    return [_row(graph, node) for node in graph.nodes]


def totals(rows: Sequence[Row]) -> Totals:
    """The sums of all rows."""
    return Totals(
        sum(r.macs for r in rows), sum(r.weights for r in rows), sum(r.biases for r in rows)
    )


def render(graph: Graph) -> Table:
    """The table that `tinytrain inspect` prints, with totals, ports and notes."""
    rows = summarize(graph)
    total = totals(rows)
    table = Table(title=escape(graph.name), caption=escape(_caption(graph)), caption_justify="left")
    for heading in ("op", "name", "what", "input", "output"):
        table.add_column(heading, overflow="fold")
    for heading in ("MACs", "weights", "biases"):
        table.add_column(heading, justify="right")
    table.add_column("quantization", overflow="fold")
    table.add_column("trains")
    for r in rows:
        table.add_row(
            str(r.index),
            escape(r.name),
            escape(r.detail),
            " + ".join(_shape(s) for s in r.inputs),
            _shape(r.output),
            _count(r.macs),
            _count(r.weights),
            _count(r.biases),
            escape(r.quantization),
            "yes" if r.trainable else "",
        )
    table.add_section()
    sums = (f"{total.macs:,}", f"{total.weights:,}", f"{total.biases:,}")
    table.add_row("", "total", f"{len(rows)} ops", "", "", *sums, "", "")
    return table


def _caption(graph: Graph) -> str:
    lines = [
        f"{what}: {port.model_dtype} {list(port.shape)}, "
        f"{_affine(graph.tensors[port.tensor].quant)} as int8"
        for what, port in (("input", graph.input), ("output", graph.output))
    ]
    if graph.indices:
        lines[0] = f"input: int32 {list(graph.input.shape)}, indices 0 .. {graph.indices - 1}"
    return "\n".join([*lines, *graph.notes])


def _row(graph: Graph, node: Node) -> Row:
    weight = graph.tensors[node.weight] if node.weight is not None else None
    bias = graph.tensors[node.bias] if node.bias is not None else None
    activations = tuple(
        graph.tensors[name].shape for name in node.inputs if not graph.tensors[name].is_constant
    )
    return Row(
        index=node.index,
        name=node.name,
        op=node.op,
        detail=_detail(node),
        inputs=activations,
        output=graph.tensors[node.output].shape,
        macs=macs_of(node),
        weights=weight.size if weight is not None else 0,
        biases=bias.size if bias is not None else 0,
        quantization=_quantization(graph, node),
        trainable=weight is not None,
    )


def _detail(node: Node) -> str:
    match node.attrs:
        case Conv2D(window=w) if w.kernel == (1, 1) and node.name.startswith("dense"):
            return f"dense {w.input.c} to {w.output.c}"
        case Conv2D(window=w):
            return f"conv {_window(w)}"
        case DepthwiseConv2D(window=w) as attrs:
            times = f" x{attrs.multiplier}" if attrs.multiplier > 1 else ""
            return f"depthwise{times} {_window(w)}"
        case Embedding() as attrs:
            return f"{attrs.rows} rows of {attrs.depth}"
        case AveragePool2D(window=w):
            return f"average {_window(w)}"
        case MaxPool2D(window=w):
            return f"maximum {_window(w)}"
        case Mean() as attrs:
            return f"mean of {attrs.count}"
        case Pad() as attrs:
            return f"pad {_border(attrs.input, attrs.output, attrs.pad)} with {attrs.value}"
        case Softmax() as attrs:
            return "softmax" if attrs.beta == 1 else f"softmax, beta {attrs.beta:g}"
        case Requantize() as attrs:
            return "clamp" if attrs.identity else "requantize"
        case Add():
            return "add"


def _window(window: Window) -> str:
    """Such as "3x3 /2 pad 1,1": kernel, stride, padding before (top, left)."""
    text = f"{window.kernel[0]}x{window.kernel[1]}"
    if window.stride != (1, 1):
        down, right = window.stride
        text += f" /{down}" if down == right else f" /{down},{right}"
    if window.pad != (0, 0):
        text += f" pad {window.pad[0]},{window.pad[1]}"
    return text


def _border(source: Hwc, target: Hwc, pad: tuple[int, int]) -> str:
    top, left = pad
    bottom, right = target.h - source.h - top, target.w - source.w - left
    return f"{top},{left},{bottom},{right}"


def _quantization(graph: Graph, node: Node) -> str:
    words = [_affine(graph.tensors[node.output].quant)]
    if node.weight is not None:
        scales = graph.tensors[node.weight].quant.scale
        words.append("weights per channel" if len(scales) > 1 else "weights per tensor")
    attrs = node.attrs
    unclamped = Embedding | Mean | Pad | Softmax
    if not isinstance(attrs, unclamped) and (attrs.low, attrs.high) != _INT8_RANGE:
        words.append(f"clamp {attrs.low}..{attrs.high}")
    return ", ".join(words)


def _affine(quant: Quantization) -> str:
    return f"scale {quant.per_tensor:.6g}, zero {quant.zero_point}"


def _shape(shape: Sequence[int]) -> str:
    return "x".join(str(n) for n in shape) or "1"


def _count(n: int) -> str:
    return f"{n:,}" if n else ""
