"""The head: where the loss takes the outputs from.

One softmax over all classes at the end belongs to a softmax cross-entropy. If the layer before it
is a convolution or fully connected layer with no activation of its own (and, for softmax, with one
output pixel), its 32-bit sums are what the loss sees, unrounded; otherwise the int8 output is
widened.
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


MIN_CLASSES = 2  # the softmax of a single score is 1, whatever the score
MAX_CLASSES = 4096
MAX_OUTPUTS = 2**20


def find_head(graph: Graph, loss: Loss = Loss.SOFTMAX) -> Head | None:
    """The head of a model, or None if the output is nothing that this loss can take."""
    node = graph.producer(graph.output.tensor)
    if node is not None and loss is Loss.SOFTMAX and _belongs_to_loss(graph, node):
        node = graph.producer(node.inputs[0])
    if node is None or node.op == "softmax":  # which has no gradient of its own
        return None
    classes = graph.tensors[node.output].size
    vector = max(graph.output.shape, default=1) == classes
    if classes > MAX_OUTPUTS:
        return None
    if loss is Loss.SOFTMAX and not (vector and MIN_CLASSES <= classes <= MAX_CLASSES):
        return None
    return Head(node, classes, _has_sums(node, loss), loss)


def _belongs_to_loss(graph: Graph, node: Node) -> bool:
    """Whether the node is the softmax that a cross-entropy contains: one over all classes."""
    attrs = node.attrs
    if not isinstance(attrs, Softmax):
        return False
    return attrs.beta == 1 and attrs.depth == graph.tensors[node.output].size


def _has_sums(node: Node, loss: Loss) -> bool:
    attrs = node.attrs
    if not isinstance(attrs, Conv2D) or (attrs.low, attrs.high) != (-128, 127):
        return False
    return loss is not Loss.SOFTMAX or attrs.window.output.h * attrs.window.output.w == 1


REASONS = {
    Loss.SOFTMAX: f"is no vector of {MIN_CLASSES} to {MAX_CLASSES} class scores, so a label cannot "
    "be learned; build with --loss sigmoid or mse, or --update none to predict only",
    Loss.SIGMOID: f"has more than {MAX_OUTPUTS} elements or comes from no op with a gradient",
    Loss.MSE: f"is a softmax's or has more than {MAX_OUTPUTS} elements, so mse cannot be taken; "
    "build with --loss softmax",
}


SOFTMAX_REASON = (
    f"the loss contains one softmax over all of {MIN_CLASSES} to {MAX_CLASSES} classes with beta "
    "1, and this is another one; end the model at the logits, or build with --update none"
)


def require_head(graph: Graph, loss: Loss = Loss.SOFTMAX) -> Head:
    """As find_head; UpdateError where there is none."""
    head = find_head(graph, loss)
    if head is None:
        last = graph.producer(graph.output.tensor)
        if loss is Loss.SOFTMAX and last is not None and last.op == "softmax":
            raise UpdateError(f"{graph.name}: {last.source or last.name}: {SOFTMAX_REASON}")
        raise UpdateError(f"{graph.name}: output {graph.output.shape} {REASONS[loss]}")
    return head
