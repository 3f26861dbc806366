"""The head: where the loss takes the outputs from.

A softmax at the end belongs to the loss. If the layer before it is a convolution or fully connected
layer with no activation of its own (and, for softmax, with one output pixel), its 32-bit sums are
what the loss sees, unrounded; otherwise the int8 output is widened.
"""

from __future__ import annotations

from dataclasses import dataclass

from tinytrain.errors import UpdateError
from tinytrain.ir.graph import Graph, Node
from tinytrain.ir.loss import Loss
from tinytrain.ir.ops import Conv2D, Softmax


@dataclass(frozen=True, slots=True)
class Head:
    """node: the last one before the loss. classes: its outputs. sums: whether its 32-bit sums enter
    the loss."""

    node: Node
    classes: int
    sums: bool
    loss: Loss = Loss.SOFTMAX


MAX_CLASSES = 4096
MAX_OUTPUTS = 2**20


def find_head(graph: Graph, loss: Loss = Loss.SOFTMAX) -> Head | None:
    """The head of a model, or None if the output is nothing that this loss can take."""
    node = graph.producer(graph.output.tensor)
    while node is not None and _belongs_to(loss, node):
        node = graph.producer(node.inputs[0])
    if node is None or (loss is Loss.MSE and node.op == "softmax"):
        return None
    classes = graph.tensors[node.output].size
    vector = max(graph.output.shape, default=1) == classes <= MAX_CLASSES
    if classes > MAX_OUTPUTS or (loss is Loss.SOFTMAX and not vector):
        return None
    return Head(node, classes, _has_sums(node, loss), loss)


def _belongs_to(loss: Loss, node: Node) -> bool:
    """Whether the node is the softmax that a cross-entropy contains."""
    attrs = node.attrs
    return loss is not Loss.MSE and isinstance(attrs, Softmax) and attrs.beta == 1


def _has_sums(node: Node, loss: Loss) -> bool:
    attrs = node.attrs
    if not isinstance(attrs, Conv2D) or (attrs.low, attrs.high) != (-128, 127):
        return False
    return loss is not Loss.SOFTMAX or attrs.window.output.h * attrs.window.output.w == 1


REASONS = {
    Loss.SOFTMAX: f"is no vector of at most {MAX_CLASSES} class scores, so a label cannot be "
    "learned; build with --loss sigmoid or mse, or --update none to predict only",
    Loss.SIGMOID: f"has more than {MAX_OUTPUTS} elements or comes from no op with a gradient",
    Loss.MSE: f"is a softmax's or has more than {MAX_OUTPUTS} elements, so mse cannot be taken; "
    "build with --loss softmax",
}


def require_head(graph: Graph, loss: Loss = Loss.SOFTMAX) -> Head:
    """As find_head; UpdateError where there is none."""
    head = find_head(graph, loss)
    if head is None:
        raise UpdateError(f"{graph.name}: output {graph.output.shape} {REASONS[loss]}")
    return head
