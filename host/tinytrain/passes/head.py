"""The head: where the loss takes the logits from.

A softmax at the end belongs to the loss. If the layer before it is a convolution or fully connected
layer with one output pixel and no activation of its own, its 32-bit sums are the logits, unrounded;
otherwise the int8 output is widened.
"""

from __future__ import annotations

from dataclasses import dataclass

from tinytrain.errors import UpdateError
from tinytrain.ir.graph import Graph, Node
from tinytrain.ir.ops import Conv2D, Softmax


@dataclass(frozen=True, slots=True)
class Head:
    """node: the last one before the loss. sums: whether its 32-bit sums are the logits."""

    node: Node
    classes: int
    sums: bool


MAX_CLASSES = 4096


def find_head(graph: Graph) -> Head | None:
    """The head of a classifier, or None if the output is no vector of class scores."""
    node = graph.producer(graph.output.tensor)
    while node is not None and isinstance(node.attrs, Softmax) and node.attrs.beta == 1:
        node = graph.producer(node.inputs[0])
    if node is None:
        return None
    output = graph.tensors[node.output]
    classes = output.size
    if classes > MAX_CLASSES or max(graph.output.shape, default=1) != classes:
        return None
    attrs = node.attrs
    one_pixel = isinstance(attrs, Conv2D) and attrs.window.output.h * attrs.window.output.w == 1
    plain = isinstance(attrs, Conv2D) and (attrs.low, attrs.high) == (-128, 127)
    return Head(node, classes, one_pixel and plain)


def require_head(graph: Graph) -> Head:
    """As find_head; UpdateError where there is none."""
    head = find_head(graph)
    if head is None:
        raise UpdateError(
            f"{graph.name}: output {graph.output.shape} is no vector of at most {MAX_CLASSES} "
            "class scores, so a label cannot be learned; build with --update none to predict only"
        )
    return head
