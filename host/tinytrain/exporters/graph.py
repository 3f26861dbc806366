"""Graphs to .tflite files that TFLM runs bit for bit as the graph says.

The inverse of the importer, up to shapes: activations get the shape that the op wants which writes
them, and a RESHAPE, which moves nothing, where the reader wants another one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinytrain.exporters.ops import ExportError
from tinytrain.exporters.tflite import TfliteWriter
from tinytrain.importers.geometry import clamp
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
    Softmax,
    Window,
)

ACTIVATIONS = {  # bounds in real value; the first that fits is taken
    "NONE": (-np.inf, np.inf),
    "RELU": (0.0, np.inf),
    "RELU6": (0.0, 6.0),
    "RELU_N1_TO_1": (-1.0, 1.0),
}
Shape = tuple[int, ...]


def graph_to_tflite(graph: Graph) -> bytes:
    """The file: int8 or indices in, int8 out; ExportError for what .tflite cannot say."""
    export = _Export(graph)
    first = export.activation(graph.input.tensor, graph.input.shape)
    for node in graph.nodes:
        WRITERS[type(node.attrs)](export, node, node.attrs)
    last = export.read(graph.output.tensor, graph.output.shape)
    return export.writer.bytes([first], [last])


@dataclass(slots=True)
class _Export:
    """A file under construction: where each tensor of the graph is in it, in which shape."""

    graph: Graph
    writer: TfliteWriter = field(default_factory=TfliteWriter)
    places: dict[str, int] = field(default_factory=dict)
    shapes: dict[str, Shape] = field(default_factory=dict)

    def activation(self, name: str, shape: Shape) -> int:
        """A tensor that an op is about to write."""
        if self.graph.tensors[name].dtype == "int32":  # indices
            index = self.writer.tensor(name, shape, np.int32)
        else:
            index = self.between(name, name, shape)
        self.places[name], self.shapes[name] = index, shape
        return index

    def between(self, name: str, like: str, shape: Shape) -> int:
        """A tensor of the file alone, quantized like one of the graph."""
        quant = self.graph.tensors[like].quant
        return self.writer.tensor(
            name, shape, np.int8, scale=quant.per_tensor, zero_point=quant.zero_point
        )

    def read(self, name: str, shape: Shape) -> int:
        """A tensor that was written, in the shape in which its reader wants it."""
        if self.shapes[name] == shape:
            return self.places[name]
        index = self.between(f"{name}_{'x'.join(map(str, shape))}", name, shape)
        new_shape = self.ints(f"{name}_shape", np.array(shape, np.int32))
        self.writer.op("RESHAPE", [self.places[name], new_shape], [index], new_shape=shape)
        return index

    def ints(self, name: str, values: Any) -> int:
        """A constant of int32."""
        return self.writer.tensor(name, values.shape, np.int32, data=values)

    def parameter(self, name: str, shape: Shape, axis: int) -> int:
        """A weight or a bias."""
        tensor = self.graph.tensors[name]
        assert tensor.data is not None
        return self.writer.tensor(
            name,
            shape,
            tensor.dtype,
            data=tensor.data.reshape(shape),
            scale=tensor.quant.scale,
            zero_point=tensor.quant.zero_point,
            axis=axis,
        )

    def activation_function(self, node: Node, low: int, high: int) -> str:
        """The fused activation with these bounds on the node's output."""
        quant = self.graph.tensors[node.output].quant
        for name, bounds in ACTIVATIONS.items():
            if clamp(*bounds, quant) == (low, high):
                return name
        raise ExportError(f"{node.name}: .tflite has no activation for {low} .. {high}")

    def padded(self, node: Node, window: Window) -> tuple[int, str]:
        """The input of a window, and SAME or VALID; padded by an op where neither says it."""
        source = node.inputs[0]
        data = self.read(source, _nhwc(window.input))
        kind = _padding(window)
        if kind:
            return data, kind
        before = window.pad
        after = tuple(
            max(0, (out - 1) * stride + kernel - size - pad)
            for out, stride, kernel, size, pad in zip(
                (window.output.h, window.output.w),
                window.stride,
                window.kernel,
                (window.input.h, window.input.w),
                before,
                strict=True,
            )
        )
        h, w = (n + b + a for n, b, a in zip((window.input.h, window.input.w), before, after,
                                             strict=True))  # fmt: skip
        target = self.between(f"{node.name}_padded", source, (1, h, w, window.input.c))
        borders = [(0, 0), (before[0], after[0]), (before[1], after[1]), (0, 0)]
        amounts = self.ints(f"{node.name}_paddings", np.array(borders, np.int32))
        self.writer.op("PAD", [data, amounts], [target])
        return target, "VALID"


def _nhwc(hwc: Hwc) -> Shape:
    return 1, hwc.h, hwc.w, hwc.c


def _padding(window: Window) -> str:
    """SAME or VALID if TFLite computes this window from it, else nothing."""
    same, valid = [], []
    for size, out, kernel, stride, pad in zip(
        (window.input.h, window.input.w),
        (window.output.h, window.output.w),
        window.kernel,
        window.stride,
        window.pad,
        strict=True,
    ):
        around = max(0, (out - 1) * stride + kernel - size)
        same.append(out == -(-size // stride) and pad == around // 2)
        valid.append(pad == 0 and out == (size - kernel) // stride + 1)
    return "VALID" if all(valid) else "SAME" if all(same) else ""


def _conv2d(e: _Export, node: Node, attrs: Conv2D) -> None:
    if attrs.float32_product:
        _fully_connected(e, node, attrs)
        return
    window = attrs.window
    assert node.weight is not None
    shape = (window.output.c, *window.kernel, window.input.c)
    data, padding = e.padded(node, window)
    e.writer.op(
        "CONV_2D",
        [data, *_parameters(e, node, shape, 0)],
        [e.activation(node.output, _nhwc(window.output))],
        padding=padding,
        stride_h=window.stride[0],
        stride_w=window.stride[1],
        fused_activation_function=e.activation_function(node, attrs.low, attrs.high),
    )


def _fully_connected(e: _Export, node: Node, attrs: Conv2D) -> None:
    """Only a FULLY_CONNECTED multiplies its two scales in float32."""
    source, target = attrs.window.input, attrs.window.output
    data = e.read(node.inputs[0], (source.h * source.w, source.c))
    e.writer.op(
        "FULLY_CONNECTED",
        [data, *_parameters(e, node, (target.c, source.c), 0)],
        [e.activation(node.output, (target.h * target.w, target.c))],
        fused_activation_function=e.activation_function(node, attrs.low, attrs.high),
    )


def _depthwise(e: _Export, node: Node, attrs: DepthwiseConv2D) -> None:
    window = attrs.window
    data, padding = e.padded(node, window)
    e.writer.op(
        "DEPTHWISE_CONV_2D",
        [data, *_parameters(e, node, (1, *window.kernel, window.output.c), 3)],
        [e.activation(node.output, _nhwc(window.output))],
        padding=padding,
        stride_h=window.stride[0],
        stride_w=window.stride[1],
        depth_multiplier=attrs.multiplier,
        fused_activation_function=e.activation_function(node, attrs.low, attrs.high),
    )


def _embedding(e: _Export, node: Node, attrs: Embedding) -> None:
    source, table = node.inputs
    inputs = [e.parameter(table, (attrs.rows, attrs.depth), 0), e.places[source]]
    target = e.activation(node.output, (*e.shapes[source], attrs.depth))
    e.writer.op("GATHER", inputs, [target], axis=0)


def _parameters(e: _Export, node: Node, shape: Shape, axis: int) -> list[int]:
    assert node.weight is not None
    weight = e.parameter(node.weight, shape, axis)
    return [weight] if node.bias is None else [weight, e.parameter(node.bias, (shape[axis],), 0)]


def _add(e: _Export, node: Node, attrs: Add) -> None:
    shape = e.shapes[node.inputs[0]]
    e.writer.op(
        "ADD",
        [e.read(name, shape) for name in node.inputs],
        [e.activation(node.output, shape)],
        fused_activation_function=e.activation_function(node, attrs.low, attrs.high),
    )


def _pool(e: _Export, node: Node, attrs: AveragePool2D | MaxPool2D) -> None:
    window = attrs.window
    padding = _padding(window)
    if not padding:
        raise ExportError(f"{node.name}: a pool whose padding is neither SAME nor VALID")
    e.writer.op(
        "MAX_POOL_2D" if isinstance(attrs, MaxPool2D) else "AVERAGE_POOL_2D",
        [e.read(node.inputs[0], _nhwc(window.input))],
        [e.activation(node.output, _nhwc(window.output))],
        padding=padding,
        stride_h=window.stride[0],
        stride_w=window.stride[1],
        filter_height=window.kernel[0],
        filter_width=window.kernel[1],
        fused_activation_function=e.activation_function(node, attrs.low, attrs.high),
    )


def _mean(e: _Export, node: Node, attrs: Mean) -> None:
    data = e.read(node.inputs[0], (attrs.outer, attrs.count, attrs.inner))
    axis = e.ints(f"{node.name}_axis", np.array([1], np.int32))
    target = e.activation(node.output, (attrs.outer, attrs.inner))
    e.writer.op("MEAN", [data, axis], [target], keep_dims=False)


def _pad(e: _Export, node: Node, attrs: Pad) -> None:
    top, left = attrs.pad
    bottom = attrs.output.h - attrs.input.h - top
    right = attrs.output.w - attrs.input.w - left
    borders = np.array([(0, 0), (top, bottom), (left, right), (0, 0)], np.int32)
    inputs = [e.read(node.inputs[0], _nhwc(attrs.input)), e.ints(f"{node.name}_paddings", borders)]
    quant = e.graph.tensors[node.inputs[0]].quant
    if attrs.value != quant.zero_point:
        value = np.array(attrs.value, np.int8)
        scale, zero = quant.per_tensor, quant.zero_point
        name = f"{node.name}_value"
        inputs.append(e.writer.tensor(name, (), np.int8, data=value, scale=scale, zero_point=zero))
    target = e.activation(node.output, _nhwc(attrs.output))
    e.writer.op("PAD" if len(inputs) == 2 else "PADV2", inputs, [target])


def _requantize(e: _Export, node: Node, attrs: Requantize) -> None:
    shape = e.shapes[node.inputs[0]]
    data = e.read(node.inputs[0], shape)
    what = e.activation_function(node, attrs.low, attrs.high)
    if what == "NONE" and not attrs.identity:
        what = "QUANTIZE"
    if what not in (("RELU6", "RELU_N1_TO_1") if attrs.identity else ("QUANTIZE", "RELU")):
        raise ExportError(f"{node.name}: .tflite has no op for {attrs}")
    e.writer.op(what, [data], [e.activation(node.output, shape)])


def _softmax(e: _Export, node: Node, attrs: Softmax) -> None:
    shape = (attrs.rows, attrs.depth)
    data = e.read(node.inputs[0], shape)
    e.writer.op("SOFTMAX", [data], [e.activation(node.output, shape)], beta=attrs.beta)


WRITERS: Mapping[type, Callable[[_Export, Node, Any], None]] = {
    Conv2D: _conv2d,
    DepthwiseConv2D: _depthwise,
    Embedding: _embedding,
    Add: _add,
    AveragePool2D: _pool,
    MaxPool2D: _pool,
    Mean: _mean,
    Pad: _pad,
    Requantize: _requantize,
    Softmax: _softmax,
}
