"""Stochastic gradient descent in float64 on the dequantized parameters: what training means."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from oracle import ops
from oracle.autograd import loss_of, require_gradients
from tinytrain.ir.graph import Graph
from tinytrain.passes.update import Scheme

LARGEST_WEIGHT = 127


def train(
    graph: Graph,
    scheme: Scheme,
    xs: Sequence[npt.NDArray[np.int8]],
    ys: Sequence[int],
    lr: float,
) -> npt.NDArray[np.float64]:
    """The loss of every step.

    Activations are rounded and clamped (straight-through), parameters are not rounded; weights stay
    within what int8 can hold, as they must on the device.
    """
    p = ops.parameters(graph)
    require_gradients(p, scheme)
    leaves = [t for d in (p.weights, p.biases) for t in d.values() if t.requires_grad]
    ends = {name: _largest(graph, name) for name in p.weights}
    losses = []
    for x, y in zip(xs, ys, strict=True):
        loss = loss_of(graph, p, x, int(y))
        losses.append(float(loss.detach()))
        gradients = torch.autograd.grad(loss, leaves)
        with torch.no_grad():
            for leaf, gradient in zip(leaves, gradients, strict=True):
                leaf -= lr * gradient
            for name, weight in p.weights.items():
                weight.copy_(torch.maximum(torch.minimum(weight, ends[name]), -ends[name]))
    return np.array(losses)


def _largest(graph: Graph, name: str) -> torch.Tensor:
    node = next(n for n in graph.nodes if n.name == name)
    assert node.weight is not None
    weight, axis = graph.tensors[node.weight], ops.output_axis(node)
    shape = [1, 1, 1, 1]
    shape[axis] = -1
    scale = weight.quant.channels(weight.shape[axis]).reshape(shape)
    return torch.tensor(scale * LARGEST_WEIGHT)
