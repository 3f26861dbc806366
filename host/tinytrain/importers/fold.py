"""Folds on the graph as it comes out of a file: padding into convolutions, and unused nodes."""

from __future__ import annotations

from dataclasses import replace

from tinytrain.ir import Graph, Node
from tinytrain.ir.ops import Conv2D, DepthwiseConv2D, Pad, Window


def fold_pads(graph: Graph) -> Graph:
    """Let every convolution pad by itself where a Pad before it adds zeros of real value.

    A Pad that something else reads stays for that reader, and one that nothing reads any more is
    left to `drop_unused`. Windows keep touching the map: a Pad so wide that some output pixel
    would see nothing but padding stays.
    """
    pads = {
        node.output: (node, node.attrs)
        for node in graph.nodes
        if isinstance(node.attrs, Pad)
        and node.attrs.value == graph.tensors[node.inputs[0]].quant.zero_point
    }
    nodes: list[Node] = []
    notes = list(graph.notes)
    for original in graph.nodes:
        node = original
        while node.inputs[0] in pads:
            pad, border = pads[node.inputs[0]]
            folded = _with_border(node, border, pad.inputs[0])
            if folded is None:
                break
            notes.append(f"{pad.source} is part of {node.source}")
            node = folded
        nodes.append(node)
    return replace(graph, nodes=tuple(nodes), notes=tuple(notes))


def _with_border(node: Node, border: Pad, source: str) -> Node | None:
    """The node padding the tensor `source` by itself, or None if it cannot."""
    attrs = node.attrs
    if not isinstance(attrs, Conv2D | DepthwiseConv2D):
        return None
    top, left = attrs.window.pad
    window = replace(
        attrs.window, input=border.input, pad=(top + border.pad[0], left + border.pad[1])
    )
    if not _touches_map(window):
        return None
    return replace(node, inputs=(source, *node.inputs[1:]), attrs=replace(attrs, window=window))


def _touches_map(window: Window) -> bool:
    """Whether each position of the window covers at least one row and one column of the map."""
    return all(
        pad < kernel and (out - 1) * stride - pad < size
        for pad, kernel, out, stride, size in zip(
            window.pad,
            window.kernel,
            (window.output.h, window.output.w),
            window.stride,
            (window.input.h, window.input.w),
            strict=True,
        )
    )


def drop_unused(graph: Graph) -> Graph:
    """Without the nodes and tensors that the output does not depend on."""
    needed = {graph.output.tensor}
    kept: list[Node] = []
    for node in reversed(graph.nodes):
        if node.output in needed:
            needed.update(node.inputs)
            kept.append(node)
    needed.add(graph.input.tensor)
    unused = [n.source for n in graph.nodes if n.output not in needed and n.op != "pad"]
    notes = tuple(f"{source} is left out: the output does not depend on it" for source in unused)
    return replace(
        graph,
        nodes=tuple(reversed(kept)),
        tensors={name: t for name, t in graph.tensors.items() if name in needed},
        notes=(*graph.notes, *notes),
    )
