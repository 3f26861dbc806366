"""Every supported op of .tflite files becomes the node that was meant, with the right geometry."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tinytrain.ir import Graph, Quantization
from tinytrain.ir.ops import (
    Add,
    AveragePool2D,
    Conv2D,
    DepthwiseConv2D,
    Hwc,
    MaxPool2D,
    Mean,
    Pad,
    Requantize,
    Softmax,
    Window,
)

POOL = {"padding": "VALID", "stride_h": 2, "stride_w": 2, "filter_height": 2, "filter_width": 2}
STRIDE_1 = {"stride_h": 1, "stride_w": 1}
F32 = np.float32


def kinds(graph: Graph) -> list[str]:
    return [node.op for node in graph.nodes]


def attrs(graph: Graph) -> Any:
    (node,) = graph.nodes
    return node.attrs


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding", "out", "pad"),
    [
        (9, 3, 1, "SAME", 9, 1),
        (9, 3, 2, "SAME", 5, 1),
        (8, 3, 2, "SAME", 4, 0),  # SAME puts the odd one behind
        (49, 10, 2, "SAME", 25, 4),
        (5, 1, 3, "SAME", 2, 0),  # the kernel is smaller than the stride
        (9, 3, 2, "VALID", 4, 0),
        (9, 9, 1, "VALID", 1, 0),
        (2, 7, 1, "SAME", 2, 3),  # the kernel is larger than the map
    ],
)
@pytest.mark.parametrize("axis", ["h", "w"])
def test_window(net, load_bytes, axis, size, kernel, stride, padding, out, pad):
    along = (lambda n, other: (n, other)) if axis == "h" else (lambda n, other: (other, n))
    source = net.act(1, *along(size, 4), 2)
    down, right = along(stride, 1)
    kernels, outs = along(kernel, 1), along(out, 4)
    target = net.conv(
        source,
        *(5, *kernels, 2),
        out=(1, *outs, 5),
        padding=padding,
        stride_h=down,
        stride_w=right,
    )
    graph = load_bytes(net.bytes(source, target))
    expected = Window(Hwc(*along(size, 4), 2), Hwc(*outs, 5), kernels, (down, right), along(pad, 0))
    assert attrs(graph) == Conv2D(expected)


def test_conv_parameters(net, load_bytes):
    source = net.act(1, 4, 4, 3, scale=0.1)
    target = net.conv(source, 6, 3, 3, 3, out=(1, 4, 4, 6))
    graph = load_bytes(net.bytes(source, target))
    (node,) = graph.nodes
    assert (node.name, node.source, node.index) == ("conv2d_1", "op 0 CONV_2D", 0)
    weight, bias = graph.tensors[node.weight], graph.tensors[node.bias]
    assert (weight.shape, weight.dtype, weight.quant.axis) == ((6, 3, 3, 3), "int8", 0)
    assert weight.data.min() == -128  # kept: what to do about it is for the passes
    assert (bias.shape, bias.dtype, bias.quant.axis) == ((6,), "int32", 0)
    # The accumulator's scale, not the 0.001 that the file gives the bias.
    products = [float(F32(float(F32(0.1)) * s)) for s in weight.quant.scale]
    assert list(bias.quant.scale) == products
    assert graph.tensors[node.output].quant == Quantization((float(F32(0.05)),), -3)


def test_conv_without_bias_and_per_tensor(net, load_bytes):
    source, target = net.act(1, 2, 2, 3), net.act(1, 2, 2, 4)
    weights = net.weights(4, 1, 1, 3, scale=0.01)
    net.op("CONV_2D", [source, weights, -1], target, padding="VALID", **STRIDE_1)
    graph = load_bytes(net.bytes(source, target))
    (node,) = graph.nodes
    assert node.bias is None
    assert graph.tensors[node.weight].quant == Quantization((float(F32(0.01)),))
    assert not node.attrs.float32_product


@pytest.mark.parametrize("multiplier", [1, 2, 8])
def test_depthwise(net, load_bytes, multiplier):
    source, channels = net.act(1, 5, 6, 3), 3 * multiplier
    target = net.act(1, 3, 3, channels)
    # Its quantized dimension is 3, as in person_detect: of no account for a bias.
    bias = net.const(np.zeros((1, 1, 1, channels)), scale=[0.001] * channels, axis=3)
    net.op(
        "DEPTHWISE_CONV_2D",
        [source, net.weights(1, 3, 3, channels, axis=3), bias],
        target,
        padding="SAME",
        stride_h=2,
        stride_w=2,
        depth_multiplier=multiplier,
    )
    graph = load_bytes(net.bytes(source, target))
    window = Window(Hwc(5, 6, 3), Hwc(3, 3, channels), (3, 3), (2, 2), (1, 0))
    assert attrs(graph) == DepthwiseConv2D(window)
    assert attrs(graph).multiplier == multiplier
    assert graph.tensors[graph.nodes[0].bias].shape == (channels,)
    assert graph.tensors[graph.nodes[0].weight].quant.axis == 3


@pytest.mark.parametrize("shape", [(1, 12), (1, 2, 3, 12), (1, 3, 2, 2), (12,)])
@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("scale", [0.01, [0.01, 0.02, 0.03, 0.04, 0.05]])
def test_fully_connected(net, load_bytes, shape, keep, scale):
    keep = keep and shape[-1] == 12
    rows = int(np.prod(shape)) // 12
    source = net.act(*shape)
    target = net.act(*shape[:-1], 5) if keep else net.act(rows, 5)
    net.op(
        "FULLY_CONNECTED",
        [source, net.weights(5, 12, scale=scale), net.bias(5)],
        target,
        keep_num_dims=keep,
    )
    graph = load_bytes(net.bytes(source, target))
    (node,) = graph.nodes
    window = Window(Hwc(1, rows, 12), Hwc(1, rows, 5), (1, 1))
    assert node.attrs == Conv2D(window, float32_product=isinstance(scale, float))
    assert node.name == "dense_1"
    assert graph.tensors[node.weight].shape == (5, 1, 1, 12)


@pytest.mark.parametrize(
    ("activation", "scale", "zero", "bounds"),
    [
        ("NONE", 0.05, -3, (-128, 127)),
        ("RELU", 0.05, -3, (-3, 127)),
        ("RELU6", 0.05, -3, (-3, 117)),
        ("RELU6", 0.05, -128, (-128, -8)),
        ("RELU6", 0.02, 10, (10, 127)),
        ("RELU6", 12.0, 0, (0, 1)),  # 0.5 is rounded away from zero
        ("RELU_N1_TO_1", 0.4, 0, (-3, 3)),  # and so is -2.5
        ("RELU6", 1e-40, 5, (5, 127)),
    ],
)
def test_fused_activation(net, load_bytes, activation, scale, zero, bounds):
    a, b = net.act(1, 4), net.act(1, 4)
    target = net.act(1, 4, scale=scale, zero_point=zero)
    net.op("ADD", [a, net.op("RELU", [a], b)], target, fused_activation_function=activation)
    graph = load_bytes(net.bytes(a, target))
    assert graph.nodes[1].attrs == Add(*bounds)


def test_residual_add(net, load_bytes):
    source = net.act(1, 4, 4, 2)
    branch = net.conv(source, 2, 3, 3, 2, out=(1, 4, 4, 2))
    target = net.op("ADD", [source, branch], net.act(1, 4, 4, 2, scale=0.07))
    graph = load_bytes(net.bytes(source, target))
    assert kinds(graph) == ["conv2d", "add"]
    assert graph.nodes[1].inputs == (graph.input.tensor, graph.nodes[0].output)


def test_pools(net, load_bytes):
    source = net.act(1, 6, 7, 3)
    middle = net.op("MAX_POOL_2D", [source], net.act(1, 3, 3, 3), **POOL)
    options = POOL | {"padding": "SAME", "fused_activation_function": "RELU"}
    target = net.op("AVERAGE_POOL_2D", [middle], net.act(1, 2, 2, 3), **options)
    graph = load_bytes(net.bytes(source, target))
    assert [n.attrs for n in graph.nodes] == [
        MaxPool2D(Window(Hwc(6, 7, 3), Hwc(3, 3, 3), (2, 2), (2, 2), (0, 0))),
        AveragePool2D(Window(Hwc(3, 3, 3), Hwc(2, 2, 3), (2, 2), (2, 2), (0, 0)), -3, 127),
    ]


@pytest.mark.parametrize(
    ("axes", "out", "expected"),
    [
        ([1, 2], (1, 3), Mean(1, 20, 3)),
        ([2, 1], (1, 1, 1, 3), Mean(1, 20, 3)),
        ([-2, -3], (1, 3), Mean(1, 20, 3)),
        ([1, 2, 0], (3,), Mean(1, 20, 3)),
        ([1], (1, 5, 3), Mean(1, 4, 15)),
        ([2], (1, 4, 3), Mean(4, 5, 3)),
        ([-2], (1, 4, 1, 3), Mean(4, 5, 3)),
        (2, (1, 4, 3), Mean(4, 5, 3)),
        ([0], (4, 5, 3), Mean(1, 1, 60)),
    ],
)
def test_mean(net, load_bytes, axes, out, expected):
    source, target = net.act(1, 4, 5, 3), net.act(*out)
    net.op("MEAN", [source, net.const(axes)], target, keep_dims=len(out) == 4)
    assert attrs(load_bytes(net.bytes(source, target))) == expected


def test_mean_of_a_sequence(net, load_bytes):
    source, target = net.act(1, 7, 3), net.act(1, 3)
    net.op("MEAN", [source, net.const([1])], target)
    assert attrs(load_bytes(net.bytes(source, target))) == Mean(1, 7, 3)


def test_softmax(net, load_bytes):
    source = net.act(1, 6, 4)
    target = net.act(1, 6, 4, scale=1 / 256, zero_point=-128)
    net.op("SOFTMAX", [source], target, beta=0.5)
    assert attrs(load_bytes(net.bytes(source, target))) == Softmax(6, 4, 0.5)


@pytest.mark.parametrize(
    ("code", "scale", "expected"),
    [
        ("RELU", 0.05, Requantize(-3, 127)),
        ("RELU", 0.03, Requantize(-3, 127)),
        ("RELU6", 0.05, Requantize(-3, 117, identity=True)),
        ("RELU_N1_TO_1", 0.05, Requantize(-23, 17, identity=True)),
        ("QUANTIZE", 0.03, Requantize()),
    ],
)
def test_requantize(net, load_bytes, code, scale, expected):
    source, target = net.act(1, 4), net.act(1, 4, scale=scale)
    net.op(code, [source], target)
    assert attrs(load_bytes(net.bytes(source, target))) == expected


def test_quantize_that_changes_nothing_is_left_out(net, load_bytes):
    source = net.act(1, 4)
    target = net.dense(net.op("QUANTIZE", [source], net.act(1, 4)), 2, 4)
    graph = load_bytes(net.bytes(source, target))
    assert kinds(graph) == ["conv2d"]
    assert graph.notes == ("op 0 QUANTIZE changes nothing, left out",)


@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_ends_are_taken_off(net, load_bytes, dtype):
    shifted = {"zero_point": 125} if dtype == "uint8" else {}
    source = net.act(1, 4, dtype=dtype, **shifted)
    inner = net.op("QUANTIZE", [source], net.act(1, 4))
    logits = net.dense(inner, 2, 4)
    code = "QUANTIZE" if dtype == "uint8" else "DEQUANTIZE"
    target = net.op(code, [logits], net.act(1, 2, dtype=dtype, **shifted))
    graph = load_bytes(net.bytes(source, target))
    assert kinds(graph) == ["conv2d"]
    assert (graph.input.shape, graph.input.model_dtype) == ((1, 4), dtype)
    assert (graph.output.shape, graph.output.model_dtype) == ((1, 2), dtype)
    assert graph.tensors[graph.input.tensor].dtype == "int8"
    assert graph.nodes[0].index == 1
    assert len(graph.notes) == 2


def test_names_are_unique(net, load_bytes):
    source = net.act(1, 4, name="same")
    target = net.op("RELU6", [source], net.act(1, 4, name="same"))
    target = net.op("RELU6", [target], net.act(1, 4, name=""))
    graph = load_bytes(net.bytes(source, target))
    assert [n.output for n in graph.nodes] == ["same_2", "tensor_2"]
    assert [n.name for n in graph.nodes] == ["requantize_1", "requantize_2"]


def test_shared_weights_become_two_tensors(net, load_bytes):
    source, middle, target = net.act(1, 4), net.act(1, 4), net.act(1, 4)
    weights = net.weights(4, 4, scale=0.01)
    net.op("FULLY_CONNECTED", [source, weights], middle)
    net.op("FULLY_CONNECTED", [middle, weights], target)
    graph = load_bytes(net.bytes(source, target))
    first, second = graph.nodes
    assert first.weight != second.weight
    assert "share weights" in graph.notes[0]


def test_what_the_output_does_not_need_is_left_out(net, load_bytes):
    source = net.act(1, 4)
    net.dense(source, 3, 4)
    target = net.dense(source, 2, 4)
    graph = load_bytes(net.bytes(source, target))
    assert [n.index for n in graph.nodes] == [1]
    assert len(graph.tensors) == 4
    assert graph.notes == ("op 0 FULLY_CONNECTED is left out: the output does not depend on it",)


def test_open_batch_with_size_1(net, load_bytes):
    source = net.act(1, 4, shape_signature=(-1, 4))
    graph = load_bytes(net.bytes(source, net.dense(source, 2, 4)))
    assert graph.input.shape == (1, 4)


def test_standing_pad(net, load_bytes):
    """Before a pool the border is data."""
    source, padded = net.act(1, 4, 4, 2), net.act(1, 7, 6, 2)
    net.op("PAD", [source, net.const([[0, 0], [1, 2], [0, 2], [0, 0]])], padded)
    target = net.op("MAX_POOL_2D", [padded], net.act(1, 3, 3, 2), **POOL)
    graph = load_bytes(net.bytes(source, target))
    assert graph.nodes[0].attrs == Pad(Hwc(4, 4, 2), Hwc(7, 6, 2), (1, 0), -3)
