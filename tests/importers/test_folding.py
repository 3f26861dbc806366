"""Ops that vanish: padding, transposes, reshapes, constant shapes. tflite-micro judges the rest."""

from __future__ import annotations

import numpy as np
import pytest

from tinytrain.ir.ops import Conv2D, Hwc, Mean, Window

STRIDE_2 = {"stride_h": 2, "stride_w": 2, "padding": "VALID"}
BORDER_1 = [[0, 0], [1, 1], [1, 1], [0, 0]]


def invoke(model: bytes, value: np.ndarray) -> np.ndarray:
    micro = pytest.importorskip("tflite_micro")
    interpreter = micro.runtime.Interpreter.from_bytes(model)
    interpreter.set_input(value, 0)
    interpreter.invoke()
    return np.array(interpreter.get_output(0))


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(3).integers(-128, 128, shape).astype(np.int8)


def kinds(graph):
    return [node.op for node in graph.nodes]


def padded(net, source, size, channels, amounts, **options):
    (top, bottom), (left, right) = amounts[1], amounts[2]
    out = net.act(1, size + top + bottom, size + left + right, channels)
    inputs = [source, net.const(amounts)]
    return net.op("PADV2" if "value" in options else "PAD", inputs + options.get("value", []), out)


def test_pad_goes_into_convolution(net, load_bytes):
    source = net.act(1, 8, 8, 2)
    border = padded(net, source, 8, 2, BORDER_1)
    target = net.conv(border, 4, 3, 3, 2, out=(1, 4, 4, 4), **STRIDE_2)
    graph = load_bytes(net.bytes(source, target))
    (node,) = graph.nodes
    # Padding is equal on both sides; SAME would be 0 before and 1 behind.
    assert node.attrs == Conv2D(Window(Hwc(8, 8, 2), Hwc(4, 4, 4), (3, 3), (2, 2), (1, 1)))
    assert node.inputs[0] == graph.input.tensor
    assert graph.notes == ("op 0 PAD is part of op 1 CONV_2D",)
    assert len(graph.tensors) == 4


def test_pad_behind_the_map(net, load_bytes):
    """Keras' MobileNets pad only below and to the right: what the shapes imply."""
    source = net.act(1, 8, 8, 2)
    border = padded(net, source, 8, 2, [[0, 0], [0, 1], [0, 1], [0, 0]])
    target = net.conv(border, 4, 3, 3, 2, out=(1, 4, 4, 4), **STRIDE_2)
    (node,) = load_bytes(net.bytes(source, target)).nodes
    assert node.attrs == Conv2D(Window(Hwc(8, 8, 2), Hwc(4, 4, 4), (3, 3), (2, 2), (0, 0)))


def test_pads_add_up(net, load_bytes):
    """Two PADs and SAME: each only moves the window."""
    source = net.act(1, 6, 6, 1)
    first = padded(net, source, 6, 1, [[0, 0], [1, 0], [0, 0], [0, 0]])
    second = net.act(1, 9, 6, 1)
    net.op("PAD", [first, net.const([[0, 0], [2, 0], [0, 0], [0, 0]])], second)
    target = net.conv(second, 1, 7, 7, 1, out=(1, 9, 6, 1))
    graph = load_bytes(net.bytes(source, target))
    (node,) = graph.nodes
    assert node.attrs.window == Window(Hwc(6, 6, 1), Hwc(9, 6, 1), (7, 7), (1, 1), (6, 3))


def test_pad_into_all_its_readers(net, load_bytes):
    source = net.act(1, 8, 8, 2)
    border = padded(net, source, 8, 2, BORDER_1)
    a = net.conv(border, 2, 3, 3, 2, out=(1, 4, 4, 2), **STRIDE_2)
    b = net.conv(border, 2, 3, 3, 2, out=(1, 4, 4, 2), **STRIDE_2)
    target = net.op("ADD", [a, b], net.act(1, 4, 4, 2))
    assert kinds(load_bytes(net.bytes(source, target))) == ["conv2d", "conv2d", "add"]


def test_pad_stays_for_other_readers(net, load_bytes):
    source = net.act(1, 6, 6, 2)
    border = padded(net, source, 6, 2, BORDER_1)
    a = net.conv(border, 2, 3, 3, 2, out=(1, 8, 8, 2))
    target = net.op("ADD", [a, border], net.act(1, 8, 8, 2))
    graph = load_bytes(net.bytes(source, target))
    assert kinds(graph) == ["pad", "conv2d", "add"]
    assert graph.nodes[1].inputs[0] == graph.input.tensor
    assert graph.nodes[1].attrs.window.pad == (2, 2)


@pytest.mark.parametrize(("value", "folded"), [(-3, True), (0, False)])
def test_padv2(net, load_bytes, value, folded):
    source = net.act(1, 8, 8, 2)
    constant = net.const(value, "int8", scale=0.05, zero_point=-3)
    border = padded(net, source, 8, 2, BORDER_1, value=[constant])
    target = net.conv(border, 4, 3, 3, 2, out=(1, 4, 4, 4), **STRIDE_2)
    graph = load_bytes(net.bytes(source, target))
    assert kinds(graph) == (["conv2d"] if folded else ["pad", "conv2d"])
    if not folded:
        assert graph.nodes[0].attrs.value == 0


@pytest.mark.parametrize("amounts", [[3, 0], [0, 3]])
def test_pad_that_fills_a_window_stays(net, load_bytes, amounts):
    """Kernels may rely on every window touching the map."""
    source = net.act(1, 4, 4, 1)
    border = padded(net, source, 4, 1, [[0, 0], amounts, [0, 0], [0, 0]])
    target = net.conv(border, 1, 3, 1, 1, out=(1, 5, 4, 1), padding="VALID")
    assert kinds(load_bytes(net.bytes(source, target))) == ["pad", "conv2d"]


def test_empty_pad_is_left_out(net, load_bytes):
    source = net.act(1, 4, 4, 1)
    border = padded(net, source, 4, 1, [[0, 0]] * 4)
    target = net.op("RELU", [border], net.act(1, 4, 4, 1))
    assert kinds(load_bytes(net.bytes(source, target))) == ["requantize"]


@pytest.mark.parametrize(("first", "second"), [(3, 2), (-1, -1), (2, 2), (2, -1)])
def test_transpose_and_two_means(new_net, load_bytes, first, second):
    """Means of NCHW are those of NHWC over the axes behind them; tflite-micro agrees."""
    shape = (1, 3, 5, 4)  # N, H, W, C
    first_is_w = first % 4 == 3
    rest = (1, 4, 3) if first_is_w else (1, 4, 5)

    net = new_net()
    source, moved, half, whole = (
        net.act(*shape),
        net.act(1, 4, 3, 5),
        net.act(*rest, scale=0.04),
        net.act(1, 4, scale=0.03),
    )
    net.op("TRANSPOSE", [source, net.const([0, 3, 1, 2])], moved)
    net.op("MEAN", [moved, net.const([first])], half)
    net.op("MEAN", [half, net.const([second])], whole)
    model = net.bytes(source, whole)
    graph = load_bytes(model)
    expected = [Mean(3, 5, 4), Mean(1, 3, 4)] if first_is_w else [Mean(1, 3, 20), Mean(1, 5, 4)]
    assert [n.attrs for n in graph.nodes] == expected

    net = new_net()
    source, half, whole = (
        net.act(*shape),
        net.act(*((1, 3, 4) if first_is_w else (1, 5, 4)), scale=0.04),
        net.act(1, 4, scale=0.03),
    )
    net.op("MEAN", [source, net.const([2 if first_is_w else 1])], half)
    net.op("MEAN", [half, net.const([1])], whole)
    x = noise(*shape)
    assert np.array_equal(invoke(model, x), invoke(net.bytes(source, whole), x))


def test_mean_of_both_axes_after_transpose(net, load_bytes):
    source, moved, target = net.act(1, 3, 5, 4), net.act(1, 4, 3, 5), net.act(1, 4, 1, 1)
    net.op("TRANSPOSE", [source, net.const([0, 3, 1, 2])], moved)
    net.op("MEAN", [moved, net.const([2, 3])], target, keep_dims=True)
    assert [n.attrs for n in load_bytes(net.bytes(source, target)).nodes] == [Mean(1, 15, 4)]


@pytest.mark.parametrize("keep", [False, True])
def test_transpose_of_ones_moves_nothing(net, load_bytes, keep):
    """[1, 1, 1, C] to NCHW and an NCHW input of one channel are the same in memory."""
    source = net.act(1, 1, 6, 5)
    image = net.op("TRANSPOSE", [source, net.const([0, 2, 3, 1])], net.act(1, 6, 5, 1))
    pool = {"padding": "VALID", "filter_height": 6, "filter_width": 5, "stride_h": 1, "stride_w": 1}
    features = net.conv(image, 4, 3, 3, 1, out=(1, 6, 5, 4))
    pooled = net.op("AVERAGE_POOL_2D", [features], net.act(1, 1, 1, 4), **pool)
    moved = net.op("TRANSPOSE", [pooled, net.const([0, 3, 1, 2])], net.act(1, 4, 1, 1))
    flat = net.op("RESHAPE", [moved, net.const([1, -1])], net.act(1, 4))
    target = net.dense(flat if keep else moved, 2, 4)
    graph = load_bytes(net.bytes(source, target))
    assert kinds(graph) == ["conv2d", "average_pool2d", "conv2d"]


def test_transpose_before_flatten_reorders_weights(new_net, load_bytes):
    """The NCHW flatten of a PyTorch export: the columns of the dense weights move instead."""
    net = new_net()
    source, moved, flat = net.act(1, 3, 5, 4), net.act(1, 4, 3, 5), net.act(1, 60)
    net.op("TRANSPOSE", [source, net.const([0, 3, 1, 2])], moved)
    net.op("RELU", [moved], clamped := net.act(1, 4, 3, 5))
    net.op("RESHAPE", [clamped, net.const([1, 60])], flat)
    model = net.bytes(source, net.dense(flat, 7, 60))
    graph = load_bytes(model)
    assert kinds(graph) == ["requantize", "conv2d"]
    node = graph.nodes[1]
    assert any("reordered" in note for note in graph.notes)

    plain = new_net()
    source, flat, target = plain.act(1, 3, 5, 4), plain.act(1, 60), plain.act(1, 7)
    plain.op("RELU", [source], clamped := plain.act(1, 3, 5, 4))
    plain.op("RESHAPE", [clamped, plain.const([1, 60])], flat)
    weight, bias = graph.tensors[node.weight].data, graph.tensors[node.bias].data
    parameters = [
        plain.const(weight.reshape(7, 60), "int8", scale=0.01),
        plain.const(bias, scale=0.001),
    ]
    plain.op("FULLY_CONNECTED", [flat, *parameters], target)
    x = noise(1, 3, 5, 4)
    assert np.array_equal(invoke(model, x), invoke(plain.bytes(source, target), x))


def test_two_transposes_cancel(net, load_bytes):
    source = net.act(1, 3, 5, 4)
    there = net.op("TRANSPOSE", [source, net.const([0, 3, 1, 2])], net.act(1, 4, 3, 5))
    active = net.op("RELU", [there], net.act(1, 4, 3, 5))
    both = net.op("ADD", [active, there], net.act(1, 4, 3, 5))
    back = net.op("TRANSPOSE", [both, net.const([0, 2, 3, 1])], net.act(1, 3, 5, 4))
    target = net.conv(back, 2, 1, 1, 4, out=(1, 3, 5, 2))
    graph = load_bytes(net.bytes(source, target))
    assert kinds(graph) == ["requantize", "add", "conv2d"]


@pytest.mark.parametrize("last", ["PACK", "CONCATENATION"])
def test_constant_shape_subgraph(net, load_bytes, last):
    """SHAPE, STRIDED_SLICE and PACK, as Keras' Flatten with an open batch gives them."""
    source = net.act(1, 2, 3, 4)
    size = net.op("SHAPE", [source], net.writer.tensor("size", [4], "int32"))
    cut = [net.const([n]) for n in (0, 1, 1)]
    batch = net.writer.tensor("batch", [] if last == "PACK" else [1], "int32")
    shrink = 1 if last == "PACK" else 0
    net.op("STRIDED_SLICE", [size, *cut], batch, shrink_axis_mask=shrink)
    wanted = net.writer.tensor("wanted", [2], "int32")
    if last == "PACK":
        net.op("PACK", [batch, net.const(-1)], wanted, values_count=2, axis=0)
    else:
        net.op("CONCATENATION", [batch, net.const([24])], wanted, axis=0)
    flat = net.op("RESHAPE", [source, wanted], net.act(1, 24))
    graph = load_bytes(net.bytes(source, net.dense(flat, 2, 24)))
    assert kinds(graph) == ["conv2d"]
    assert [note.split()[2] for note in graph.notes] == ["SHAPE", "STRIDED_SLICE", last]


@pytest.mark.parametrize("code", ["RESHAPE", "SQUEEZE", "EXPAND_DIMS"])
def test_reshapes_are_no_ops(net, load_bytes, code):
    source = net.act(1, 1, 4)
    shape = {"RESHAPE": (1, 4), "SQUEEZE": (1, 4), "EXPAND_DIMS": (1, 1, 1, 4)}[code]
    inputs = [source, *([net.const(0)] if code == "EXPAND_DIMS" else [])]
    options = {"new_shape": (1, 4)} if code == "RESHAPE" else {}
    flat = net.op(code, inputs, net.act(*shape), **options)
    target = net.op("RELU6", [flat], net.act(*shape))
    graph = load_bytes(net.bytes(source, target))
    assert kinds(graph) == ["requantize"]
    assert graph.output.shape == shape
