"""The rules of the intermediate representation, checked after every importer and pass."""

from __future__ import annotations

from tinytrain.errors import GraphError
from tinytrain.ir.graph import Graph, Node
from tinytrain.ir.ops import (
    OPS,
    AveragePool2D,
    Conv2D,
    DepthwiseConv2D,
    Embedding,
    MaxPool2D,
    Mean,
    Pad,
    Softmax,
)
from tinytrain.ir.tensor import RESERVED


def verify(graph: Graph) -> Graph:
    """Return the graph, or raise GraphError naming the node and the rule that it breaks."""
    known = {graph.input.tensor} | {n for n, t in graph.tensors.items() if t.is_constant}
    names: set[str] = set()
    for node in graph.nodes:
        _check_node(graph, node, known, names)
        known.add(node.output)
        names.add(node.name)
    for name in graph.tensors:
        if RESERVED in name:
            raise GraphError(f"{graph.name}: tensor {name}: names must not contain {RESERVED}")
    if graph.output.tensor not in known:
        raise GraphError(f"{graph.name}: nothing writes the output {graph.output.tensor}")
    return graph


def _check_node(graph: Graph, node: Node, known: set[str], names: set[str]) -> None:
    where = f"{graph.name}: {node.source or node.name}"
    info = OPS.get(node.op)
    if info is None or not isinstance(node.attrs, info.attributes):
        raise GraphError(f"{where}: {node.op} with {type(node.attrs).__name__}")
    if node.name in names:
        raise GraphError(f"{where}: the name {node.name} stands twice")
    if not info.inputs[0] <= len(node.inputs) <= info.inputs[1]:
        raise GraphError(f"{where}: {len(node.inputs)} inputs, expected {info.inputs}")
    for name in (*node.inputs, node.output):
        if name not in graph.tensors:
            raise GraphError(f"{where}: no tensor {name}")
    for name in node.inputs:
        if name not in known:
            raise GraphError(f"{where}: {name} is read before it is written")
    if (graph.tensors[node.inputs[0]].dtype == "int32") != isinstance(node.attrs, Embedding):
        raise GraphError(f"{where}: {node.inputs[0]}: embeddings alone read int32 indices")
    if node.output in known:
        raise GraphError(f"{where}: {node.output} is written twice")
    sizes = [graph.tensors[n].size for n in (node.inputs[0], node.output)]
    if sizes != _expected_sizes(node, sizes):
        raise GraphError(f"{where}: sizes {sizes}, expected {_expected_sizes(node, sizes)}")


def _expected_sizes(node: Node, sizes: list[int]) -> list[int]:
    """Elements of the first input and of the output that the attributes imply."""
    match node.attrs:
        case Conv2D() | DepthwiseConv2D() | AveragePool2D() | MaxPool2D() as a:
            return [a.window.input.size, a.window.output.size]
        case Embedding() as a:
            return [a.count, a.count * a.depth]
        case Mean() as a:
            return [a.outer * a.count * a.inner, a.outer * a.inner]
        case Pad() as a:
            return [a.input.size, a.output.size]
        case Softmax() as a:
            return [a.rows * a.depth, a.rows * a.depth]
        case _:
            return [sizes[0], sizes[0]]
