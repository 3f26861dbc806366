"""The table of `tinytrain inspect`: figures that can be counted by hand."""

from __future__ import annotations

import numpy as np
from rich.console import Console

from tinytrain.inspection import Totals, render, summarize, totals
from tinytrain.ir import Graph, Node, Port, Quantization, Tensor, verify
from tinytrain.ir.ops import Conv2D, DepthwiseConv2D, Hwc, Mean, Requantize, Window

ACT = Quantization((0.05,), -3)


def small_graph() -> Graph:
    depthwise = Window(Hwc(6, 6, 2), Hwc(3, 3, 4), (3, 3), (2, 2), (1, 1))
    dense = Window(Hwc(1, 1, 4), Hwc(1, 1, 5), (1, 1))
    tensors = [
        Tensor("x", (1, 6, 6, 2), "int8", ACT),
        Tensor(
            "w1",
            (1, 3, 3, 4),
            "int8",
            Quantization((0.1,) * 4, 0, 3),
            np.ones((1, 3, 3, 4), np.int8),
        ),
        Tensor("a", (1, 3, 3, 4), "int8", ACT),
        Tensor("m", (1, 4), "int8", ACT),
        Tensor("w2", (5, 1, 1, 4), "int8", Quantization((0.1,)), np.ones((5, 1, 1, 4), np.int8)),
        Tensor("b2", (5,), "int32", Quantization((0.005,)), np.zeros(5, np.int32)),
        Tensor("[logits]", (1, 5), "int8", ACT),
        Tensor("y", (1, 5), "int8", ACT),
    ]
    nodes = (
        Node(
            "depthwise_conv2d",
            "depthwise_conv2d_1",
            ("x", "w1"),
            "a",
            DepthwiseConv2D(depthwise, -3, 117),
            index=1,
        ),
        Node("mean", "mean_1", ("a",), "m", Mean(1, 9, 4), index=2),
        Node("conv2d", "dense_1", ("m", "w2", "b2"), "[logits]", Conv2D(dense), index=3),
        Node("requantize", "requantize_1", ("[logits]",), "y", Requantize(-3, 127, True), index=4),
    )
    ports = Port("x", (1, 6, 6, 2), "float32"), Port("y", (1, 5))
    return verify(Graph("small", {t.name: t for t in tensors}, nodes, *ports, ("a [note]",)))


def test_rows():
    depthwise, mean, dense, clamp = summarize(small_graph())
    assert (depthwise.macs, depthwise.weights, depthwise.biases) == (3 * 3 * 4 * 9, 36, 0)
    assert depthwise.detail == "depthwise x2 3x3 /2 pad 1,1"
    assert depthwise.quantization == "scale 0.05, zero -3, weights per channel, clamp -3..117"
    assert (depthwise.inputs, depthwise.output) == (((1, 6, 6, 2),), (1, 3, 3, 4))
    assert (dense.macs, dense.weights, dense.biases) == (20, 20, 5)
    assert dense.detail == "dense 4 to 5"
    assert dense.quantization == "scale 0.05, zero -3, weights per tensor"
    assert [r.trainable for r in (depthwise, mean, dense, clamp)] == [True, False, True, False]
    assert (mean.detail, clamp.detail) == ("mean of 9", "clamp")


def test_totals():
    assert totals(summarize(small_graph())) == Totals(324 + 20, 36 + 20, 5)
    assert totals([]) == Totals(0, 0, 0)


def test_table_shows_everything():
    console = Console(width=200)
    with console.capture() as capture:
        console.print(render(small_graph()))
    text = capture.get()
    for part in ("dense_1", "1x6x6x2", "344", "a [note]", "input: float32 [1, 6, 6, 2]"):
        assert part in text
