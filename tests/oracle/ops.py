"""Every op on real values in torch's float64, NHWC and flat: what the integer ops stand for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from tinytrain.ir.graph import Graph, Node
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
    Window,
)

Tensor = torch.Tensor


@dataclass(frozen=True)
class Parameters:
    """Weights and biases by node name."""

    weights: dict[str, Tensor]
    biases: dict[str, Tensor]


def parameters(graph: Graph, *, dequantized: bool = True) -> Parameters:
    """The model's own parameters, in real values or as the integers they are."""
    weights, biases = {}, {}
    for node in graph.nodes:
        if node.weight is None:
            continue
        w = graph.tensors[node.weight]
        if isinstance(node.attrs, Embedding):
            rows = (_data(w.data) - w.quant.zero_point) * w.quant.per_tensor
            weights[node.name] = torch.tensor(rows)
            continue
        axis = output_axis(node)
        scale = w.quant.channels(w.shape[axis]) if dequantized else np.ones(w.shape[axis])
        weights[node.name] = torch.tensor(_data(w.data) * _along(axis, scale))
        if node.bias is not None:
            source = graph.tensors[node.inputs[0]].quant.per_tensor if dequantized else 1.0
            bias = _data(graph.tensors[node.bias].data) * scale * source
            biases[node.name] = torch.tensor(bias)
    return Parameters(weights, biases)


def _data(values: npt.NDArray[np.generic] | None) -> npt.NDArray[np.float64]:
    assert values is not None
    return values.astype(np.float64)


def output_axis(node: Node) -> int:
    """The axis of a weight that counts output channels."""
    return 3 if isinstance(node.attrs, DepthwiseConv2D) else 0


def _along(axis: int, scale: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    shape = [1, 1, 1, 1]
    shape[axis] = scale.size
    return scale.reshape(shape)


def forward(graph: Graph, node: Node, inputs: list[Tensor], p: Parameters) -> Tensor:
    """The op on real values; flat in, any shape in NHWC order out."""
    match node.attrs:
        case Conv2D(window=w):
            kernel = p.weights[node.name].reshape(w.output.c, *w.kernel, w.input.c)
            image = _padded(inputs[0], w, 0.0)
            y = F.conv2d(image, kernel.permute(0, 3, 1, 2), stride=w.stride)
            return _cut(y, w, p.biases.get(node.name))
        case DepthwiseConv2D(window=w) as a:
            kernel = p.weights[node.name].reshape(*w.kernel, -1)
            return _cut(_depthwise(inputs[0], kernel, a), w, p.biases.get(node.name))
        case Embedding():
            return p.weights[node.name][inputs[0].long()]
        case Add():
            return inputs[0] + (inputs[1] if len(inputs) > 1 else inputs[0])
        case AveragePool2D(window=w):
            sums, counts = pool_sums(inputs[0], w)
            return sums / counts
        case MaxPool2D(window=w):
            image = _padded(inputs[0], w, -float("inf"))
            return _cut(F.max_pool2d(image, w.kernel, w.stride), w)
        case Mean() as a:
            return inputs[0].reshape(a.outer, a.count, a.inner).mean(1)
        case Pad() as a:
            quant = graph.tensors[node.output].quant
            value = (a.value - quant.zero_point) * quant.per_tensor
            image = inputs[0].reshape(a.input.h, a.input.w, a.input.c)
            bottom, right = a.output.h - a.input.h - a.pad[0], a.output.w - a.input.w - a.pad[1]
            return F.pad(image, (0, 0, a.pad[1], right, a.pad[0], bottom), value=value)
        case Requantize():
            return inputs[0]
        case _:
            raise AssertionError(node.op)


def pool_sums(x: Tensor, w: Window) -> tuple[Tensor, Tensor]:
    """Sum and number of the elements of each window that lie inside the map, NHWC."""
    sums, counts = (
        _cut(F.avg_pool2d(_padded(v, w, 0.0), w.kernel, w.stride, divisor_override=1), w)
        for v in (x, torch.ones_like(x))
    )
    return sums, counts


def _depthwise(x: Tensor, kernel: Tensor, a: DepthwiseConv2D) -> Tensor:
    """One product per tap: many times faster in float64 than torch's grouped convolution."""
    w = a.window
    image = _padded(x, w, 0.0).repeat_interleave(a.multiplier, dim=1)
    rows, columns = (w.output.h - 1) * w.stride[0] + 1, (w.output.w - 1) * w.stride[1] + 1
    total = torch.zeros(1, w.output.c, w.output.h, w.output.w, dtype=torch.float64)
    for ky in range(w.kernel[0]):
        for kx in range(w.kernel[1]):
            part = image[:, :, ky : ky + rows : w.stride[0], kx : kx + columns : w.stride[1]]
            total = total + part * kernel[ky, kx].reshape(1, -1, 1, 1)
    return total


def _image(x: Tensor, size: Hwc) -> Tensor:
    return x.reshape(1, size.h, size.w, size.c).permute(0, 3, 1, 2)


def _padded(x: Tensor, w: Window, value: float) -> Tensor:
    """NCHW with the window's padding made explicit, as large as the last window needs."""
    bottom = max(0, (w.output.h - 1) * w.stride[0] + w.kernel[0] - w.input.h - w.pad[0])
    right = max(0, (w.output.w - 1) * w.stride[1] + w.kernel[1] - w.input.w - w.pad[1])
    return F.pad(_image(x, w.input), (w.pad[1], right, w.pad[0], bottom), value=value)


def _cut(y: Tensor, w: Window, bias: Tensor | None = None) -> Tensor:
    """NCHW to NHWC, without what lies beyond the output map."""
    if bias is not None:
        y = y + bias.reshape(1, -1, 1, 1)
    return y[:, :, : w.output.h, : w.output.w].permute(0, 2, 3, 1)
