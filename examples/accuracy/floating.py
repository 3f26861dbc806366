"""The float side: a graph's dequantized parameters in torch's float32, without a trace of int8.

Activations are neither rounded nor cut to the ranges found in calibration; what remains of a clamp
is the activation function that the model's author wrote.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from tinytrain.ir.graph import Graph, Node
from tinytrain.ir.ops import Add, AveragePool2D, Conv2D, DepthwiseConv2D, Window
from tinytrain.passes.head import require_head
from tinytrain.passes.update import parse_scheme


class GraphNet(nn.Module):
    """A graph up to the logits. Input int8 [n, h, w, c]; output logits [n, classes]."""

    def __init__(self, graph: Graph, update: str) -> None:
        """Only what `update` names requires a gradient."""
        super().__init__()
        self.graph = graph
        head = require_head(graph).node
        self.nodes = graph.nodes[: graph.nodes.index(head) + 1]
        scheme = parse_scheme(graph, update)
        self.parameters_of = nn.ParameterDict()
        for node in self.nodes:
            if node.weight is None:
                continue
            what = scheme.get(node.name)
            weight, bias = _real(graph, node)
            self._add(f"{node.name}_weight", weight, what is not None and what.channels > 0)
            if bias is not None:
                self._add(f"{node.name}_bias", bias, what is not None and what.bias)

    def _add(self, name: str, value: NDArray[np.float64], trained: bool) -> None:
        tensor = torch.tensor(value, dtype=torch.float32)
        self.parameters_of[name] = nn.Parameter(tensor, requires_grad=trained)

    def forward(self, x: Tensor) -> Tensor:
        """The logits."""
        return self.values(x).flatten(1)

    def values(self, x: Tensor) -> Tensor:
        """The output of the last node."""
        source = self.graph.tensors[self.graph.input.tensor].quant
        real = (x.float() - source.zero_point) * source.per_tensor
        values = {self.graph.input.tensor: real.permute(0, 3, 1, 2)}
        for node in self.nodes:
            inputs = [values[t] for t in node.inputs if t in values]
            values[node.output] = self._activate(node, self.run_node(node, inputs))
        return values[self.nodes[-1].output]

    def run_node(self, node: Node, inputs: list[Tensor]) -> Tensor:
        """One node without its activation function."""
        match node.attrs:
            case Conv2D(window=w) | DepthwiseConv2D(window=w):
                weight = self.parameters_of[f"{node.name}_weight"]
                bias = self.parameters_of[f"{node.name}_bias"] if node.bias else None
                groups = w.input.c if isinstance(node.attrs, DepthwiseConv2D) else 1
                x = functional.pad(_map(inputs[0], w), _borders(w))
                return functional.conv2d(x, weight, bias, w.stride, groups=groups)
            case Add():
                return inputs[0] + inputs[-1]
            case AveragePool2D(window=w) if not any(_borders(w)):
                return functional.avg_pool2d(inputs[0], w.kernel, w.stride)
            case _:
                raise NotImplementedError(f"{node.op} in float")

    def _activate(self, node: Node, y: Tensor) -> Tensor:
        """A bound inside int8, or real zero, is one of the activation function."""
        low, high = getattr(node.attrs, "low", -128), getattr(node.attrs, "high", 127)
        quant = self.graph.tensors[node.output].quant
        is_relu = isinstance(node.attrs, Conv2D | DepthwiseConv2D) and low == quant.zero_point
        lower = 0.0 if is_relu else None
        upper = (high - quant.zero_point) * quant.per_tensor if high < 127 else None
        return y if lower is None and upper is None else torch.clamp(y, lower, upper)


def _real(graph: Graph, node: Node) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """Weight [out, in / groups, h, w] and bias of a layer in real values."""
    assert node.weight is not None and isinstance(node.attrs, Conv2D | DepthwiseConv2D)
    w, outputs = graph.tensors[node.weight], node.attrs.window.output.c
    assert w.data is not None
    scales = w.quant.channels(outputs)
    if isinstance(node.attrs, DepthwiseConv2D):
        weight = (w.data * scales).transpose(3, 0, 1, 2)
    else:
        kernel = node.attrs.window.kernel
        rows = w.data.reshape(outputs, *kernel, node.attrs.window.input.c)
        weight = (rows * scales[:, None, None, None]).transpose(0, 3, 1, 2)
    if node.bias is None:
        return weight, None
    bias = graph.tensors[node.bias].data
    assert bias is not None
    return weight, bias * scales * graph.tensors[node.inputs[0]].quant.per_tensor


def _map(x: Tensor, w: Window) -> Tensor:
    """The input as the feature map that a window expects: a head reads a map as one pixel."""
    if x.shape[1:] == (w.input.c, w.input.h, w.input.w):
        return x
    return x.permute(0, 2, 3, 1).reshape(-1, w.input.h, w.input.w, w.input.c).permute(0, 3, 1, 2)


def _borders(w: Window) -> tuple[int, int, int, int]:
    """Left, right, top, bottom, as torch's pad takes them."""
    right = (w.output.w - 1) * w.stride[1] + w.kernel[1] - w.input.w - w.pad[1]
    bottom = (w.output.h - 1) * w.stride[0] + w.kernel[0] - w.input.h - w.pad[0]
    return w.pad[1], right, w.pad[0], bottom
