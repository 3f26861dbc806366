"""Reverse-mode differentiation: one gradient rule per op, pruned to what the scheme trains.

The result is a list of GradOps in the order of execution. A gradient is named after its tensor
(`d#<tensor>`); where a tensor is read by several nodes, what they send back is added up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from tinytrain.errors import UpdateError
from tinytrain.ir.graph import Graph, Node
from tinytrain.ir.ops import Embedding, Mean, Pad
from tinytrain.passes.head import Head
from tinytrain.passes.update import LayerUpdate, Scheme


class GradKind(Enum):
    """What a GradOp computes."""

    LOSS = "loss"  # the head's sums and the label or target -> their gradient
    CLIP = "clip"  # zero where the forward pass clamped
    ADD = "add"  # sum of two gradients of one tensor
    INPUT = "input"  # gradient of the node's input from that of its output
    WEIGHT = "weight"  # gradient of the weight, and its update
    BIAS = "bias"  # gradient of the bias, and its update


@dataclass(frozen=True, slots=True)
class GradOp:
    """One step of the backward pass: gradients read, gradient written (None for an update)."""

    kind: GradKind
    node: Node
    inputs: tuple[str, ...]
    output: str | None = None


@dataclass(slots=True)
class Tape:
    """What rules write to: the ops so far, and the gradient each tensor has received."""

    graph: Graph
    scheme: Scheme
    wanted: frozenset[str]
    ops: list[GradOp] = field(default_factory=list)
    received: dict[str, str] = field(default_factory=dict)
    emitted: dict[str, int] = field(default_factory=dict)

    def emit(self, kind: GradKind, node: Node, inputs: tuple[str, ...], tensor: str) -> str:
        """Append an op that writes a new gradient of `tensor`; return the gradient's name."""
        n = self.emitted.get(tensor, 0)
        self.emitted[tensor] = n + 1
        name = f"d#{tensor}" + (f"#{n}" if n else "")
        self.ops.append(GradOp(kind, node, inputs, name))
        return name

    def send(self, node: Node, tensor: str, gradient: str) -> None:
        """Give a tensor one more gradient."""
        if tensor in self.received:
            both = (self.received[tensor], gradient)
            gradient = self.emit(GradKind.ADD, node, both, tensor)
        self.received[tensor] = gradient

    def through(self, node: Node, dy: str, tensor: str) -> None:
        """Send the gradient of the node's input, if somebody upstream wants it."""
        if tensor in self.wanted:
            self.send(node, tensor, self.emit(GradKind.INPUT, node, (dy,), tensor))

    def update(self, node: Node, dy: str) -> None:
        """Update the parameters of a layer; after `through`, which needs the old weights."""
        trained = self.scheme.get(node.name, LayerUpdate())
        if trained.channels:
            self.ops.append(GradOp(GradKind.WEIGHT, node, (dy,)))
        if trained.bias:
            self.ops.append(GradOp(GradKind.BIAS, node, (dy,)))


Rule = Callable[[Tape, Node, str], None]
"""Given the gradient of the node's output (clipped where forward clamped), write the rest."""


def _layer(tape: Tape, node: Node, dy: str) -> None:
    tape.through(node, dy, node.inputs[0])
    tape.update(node, dy)


def _one_input(tape: Tape, node: Node, dy: str) -> None:
    tape.through(node, dy, node.inputs[0])


def _pass_on(tape: Tape, node: Node, dy: str) -> None:
    """In real values the op is a sum of its inputs, so each receives dy as it is."""
    for tensor in node.inputs:
        if tensor in tape.wanted:
            tape.send(node, tensor, dy)


RULES: Mapping[str, Rule] = {
    "conv2d": _layer,
    "depthwise_conv2d": _layer,
    "embedding": _layer,
    "add": _pass_on,
    "requantize": _pass_on,
    "average_pool2d": _one_input,
    "max_pool2d": _one_input,
    "mean": _one_input,
    "pad": _one_input,
}


def differentiate(graph: Graph, head: Head, scheme: Scheme) -> tuple[GradOp, ...]:
    """The backward pass from the loss to the first trained layer; empty for an empty scheme."""
    if not scheme:
        return ()
    tape = Tape(graph, scheme, _wanted(graph, scheme))
    nodes = graph.nodes[: graph.nodes.index(head.node) + 1]
    tape.received[head.node.output] = tape.emit(GradKind.LOSS, head.node, (), head.node.output)
    for node in reversed(nodes):
        dy = tape.received.get(node.output)
        if dy is None or not _matters(tape, node):
            continue
        rule = RULES.get(node.op)
        if rule is None:
            raise UpdateError(
                f"{graph.name}: {node.source}: no gradient rule for {node.op}; "
                "train only layers after it (last:N)"
            )
        if can_clip(graph, node) and not (node is head.node and head.sums):
            dy = tape.emit(GradKind.CLIP, node, (dy,), node.output)
        rule(tape, node, dy)
    _check_reached(graph, scheme, tape)
    return tuple(tape.ops)


def _wanted(graph: Graph, scheme: Scheme) -> frozenset[str]:
    """The tensors with a trained layer upstream: their gradients are needed."""
    wanted: set[str] = set()
    for node in graph.nodes:
        if node.name in scheme or any(t in wanted for t in node.inputs):
            wanted.add(node.output)
    return frozenset(wanted)


def _matters(tape: Tape, node: Node) -> bool:
    return node.name in tape.scheme or any(t in tape.wanted for t in node.inputs)


def _check_reached(graph: Graph, scheme: Scheme, tape: Tape) -> None:
    updated = {op.node.name for op in tape.ops if op.kind in (GradKind.WEIGHT, GradKind.BIAS)}
    for name in scheme:
        if name not in updated:
            raise UpdateError(f"{graph.name}: layer {name} does not influence the output")


def can_clip(graph: Graph, node: Node) -> bool:
    """Whether the op's clamp can ever change a value (so that its gradient needs the mask)."""
    attrs = node.attrs
    if isinstance(attrs, Embedding | Pad):
        return False
    source, result = graph.tensors[node.inputs[0]], graph.tensors[node.output]
    full = getattr(attrs, "low", -128) == -128 and getattr(attrs, "high", 127) == 127
    if node.op in ("average_pool2d", "max_pool2d"):
        return not full
    if isinstance(attrs, Mean) or node.op == "requantize":
        return not (full and source.quant == result.quant)
    return True
