"""The oracle of training: float64 autograd of the dequantized graph (contract 1 of DESIGN.md).

Every op is computed by torch on real values. Its result is then replaced by the value that the
integer forward pass has there, and its gradient passes where that value was not clamped: rounding
is straight-through. Values and clamps come from tflite-micro and from `integer`, which is written
after TFLM. Nothing of the lowering is used: no multipliers, no clip masks, no gradient rules; only
the graph and what its integers mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from oracle import ops
from oracle.integer import before_clamp
from tinytrain.compilation import Compiled
from tinytrain.ir.graph import Graph, Node
from tinytrain.ir.ops import Conv2D, DepthwiseConv2D
from tinytrain.passes.update import Scheme
from tinytrain.sim.interpreter import Interpreter

Tensor = torch.Tensor
Int8 = npt.NDArray[np.int8]
Arrays = Mapping[str, npt.NDArray[np.float64]]
Activations = Mapping[str, Int8]


def with_parameters(graph: Graph, values: Mapping[str, npt.NDArray[np.generic]]) -> Graph:
    """The graph with trained integers ("layer/weight", "layer/bias") in place of its own."""
    tensors = dict(graph.tensors)
    for node in graph.nodes:
        for kind, name in (("weight", node.weight), ("bias", node.bias)):
            data = values.get(f"{node.name}/{kind}")
            if name is not None and data is not None:
                old = tensors[name]
                tensors[name] = replace(old, data=data.copy().reshape(old.shape))
    return replace(graph, tensors=tensors)


def gradients(
    compiled: Compiled, x: Int8, label: int, reference: Activations | None = None
) -> tuple[float, Arrays]:
    """Loss and gradients by "layer/weight" and "layer/bias", as Trainer.gradients gives them.

    reference: tflite-micro's activations by tensor name; ours must be the same.
    """
    graph, scheme = compiled.graph, compiled.scheme
    p = ops.parameters(graph)
    require_gradients(p, scheme)
    loss = loss_at(graph, p, label, _activations(compiled, x, reference))
    loss.backward()
    found = {}
    for name, update in scheme.items():
        if update.channels:
            g = _gradient(p.weights[name])
            _drop_frozen(compiled, name, update.inputs, g)
            found[f"{name}/weight"] = g
        if update.bias:
            found[f"{name}/bias"] = _gradient(p.biases[name])
    return float(loss.detach()), found


def require_gradients(p: ops.Parameters, scheme: Scheme) -> None:
    """Mark what the scheme trains."""
    for name, update in scheme.items():
        p.weights[name].requires_grad_(bool(update.channels))
        if update.bias:
            p.biases[name].requires_grad_(True)


def _activations(compiled: Compiled, x: Int8, reference: Activations | None) -> Activations:
    """All activations by the graph's tensor names, flat."""
    machine = Interpreter(compiled.program, compiled.arena)
    found = {compiled.graph.input.tensor: x.reshape(-1).copy()}

    def watch(call: object, buffers: Mapping[str, npt.NDArray[np.uint8]]) -> None:
        name = call.args["y"].name  # type: ignore[attr-defined]
        found[name] = buffers["y"].view(np.int8).copy()

    machine.predict(x, watch)
    for name in found.keys() & (reference or {}).keys():
        assert reference is not None
        expected = reference[name].reshape(-1)
        if not np.array_equal(expected, found[name]):
            # the graph stores it in another order: a transpose was folded away
            np.testing.assert_array_equal(np.sort(expected), np.sort(found[name]), err_msg=name)
    return found


def _gradient(leaf: Tensor) -> npt.NDArray[np.float64]:
    """What autograd found; zero where the loss does not depend on the parameter at all."""
    return np.zeros(leaf.shape) if leaf.grad is None else leaf.grad.numpy().copy()


def _drop_frozen(
    compiled: Compiled, name: str, inputs: tuple[int, ...], g: npt.NDArray[np.float64]
) -> None:
    node = next(n for n in compiled.graph.nodes if n.name == name)
    m = node.attrs.multiplier if isinstance(node.attrs, DepthwiseConv2D) else 1
    trained = {c * m + i for c in inputs for i in range(m)}
    g[..., [i for i in range(g.shape[-1]) if i not in trained]] = 0


def loss_at(graph: Graph, p: ops.Parameters, label: int, exact: Activations) -> Tensor:
    """Softmax cross-entropy at the activations of the integer forward pass."""
    head, unrounded = _head(graph)
    integers = ops.parameters(graph, dequantized=False)
    values = {graph.input.tensor: _real(graph, graph.input.tensor, exact[graph.input.tensor])}
    for node in graph.nodes[: graph.nodes.index(head) + 1]:
        y = ops.forward(graph, node, [values[t] for t in node.inputs if t in values], p).reshape(-1)
        if node is head and unrounded:
            return _cross_entropy(y, label)
        unclamped = before_clamp(graph, node, exact, integers)
        if unclamped is not None:
            low, high = _bounds(node)
            clamped = np.clip(unclamped, low, high)
            np.testing.assert_array_equal(clamped, exact[node.output], err_msg=node.name)
            y = y * torch.tensor((unclamped >= low) & (unclamped <= high))
        values[node.output] = y + (_real(graph, node.output, exact[node.output]) - y).detach()
    return _cross_entropy(values[head.output], label)


def loss_of(graph: Graph, p: ops.Parameters, x: Int8, label: int) -> Tensor:
    """Softmax cross-entropy of a forward pass of our own, rounded and clamped to what int8 can hold
    (straight-through): for parameters that have no integers of their own."""
    head, unrounded = _head(graph)
    values = {graph.input.tensor: _real(graph, graph.input.tensor, x.reshape(-1))}
    for node in graph.nodes[: graph.nodes.index(head) + 1]:
        y = ops.forward(graph, node, [values[t] for t in node.inputs if t in values], p).reshape(-1)
        if node is head and unrounded:
            return _cross_entropy(y, label)
        values[node.output] = _straight_through(graph, node, y)
    return _cross_entropy(values[head.output], label)


def _cross_entropy(logits: Tensor, label: int) -> Tensor:
    return F.cross_entropy(logits[None], torch.tensor([label]))


def _head(graph: Graph) -> tuple[Node, bool]:
    """The node that gives the logits, and whether they enter the loss before they are rounded: they
    do where a layer with weights makes one pixel and nothing else happens to it."""
    node = graph.producer(graph.output.tensor)
    while node is not None and node.op == "softmax":
        node = graph.producer(node.inputs[0])
    assert node is not None
    a = node.attrs
    if not isinstance(a, Conv2D):
        return node, False
    return node, a.window.output.h * a.window.output.w == 1 and _bounds(node) == (-128, 127)


def _real(graph: Graph, name: str, integers: Int8) -> Tensor:
    q = graph.tensors[name].quant
    return torch.tensor((integers.astype(np.float64) - q.zero_point) * q.per_tensor)


def _bounds(node: Node) -> tuple[int, int]:
    return getattr(node.attrs, "low", -128), getattr(node.attrs, "high", 127)


def _straight_through(graph: Graph, node: Node, y: Tensor) -> Tensor:
    q = graph.tensors[node.output].quant
    integer = y / q.per_tensor + q.zero_point
    integer = integer + (torch.round(integer) - integer).detach()
    return (torch.clamp(integer, *_bounds(node)) - q.zero_point) * q.per_tensor
