"""Real models, where they are: a folder beside the repository, or TINYTRAIN_SHARED."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from tinytrain.errors import ImportModelError
from tinytrain.importers import load
from tinytrain.inspection import summarize, totals
from tinytrain.ir import Graph
from tinytrain.ir.ops import DepthwiseConv2D, Hwc, Mean, Window

BESIDE = Path(__file__).resolve().parents[2].parent / "shared"
MODELS = Path(os.environ.get("TINYTRAIN_SHARED", BESIDE)) / "models"

MOBILENET = {"conv2d": 14, "depthwise_conv2d": 13, "average_pool2d": 1}
# Ops, multiply-accumulates, weights.
EXPECTED = {
    "mcunet_5fps_128_c10": (
        {"conv2d": 29, "depthwise_conv2d": 14, "add": 7, "average_pool2d": 1},
        22_455_104,
        463_216 + 1600,
    ),
    "mcunet_5fps_128_c2": (
        {"conv2d": 29, "depthwise_conv2d": 14, "add": 7, "average_pool2d": 1},
        22_453_824,
        463_216 + 320,
    ),
    "mlperf_ad01_int8": ({"conv2d": 10}, 264_192, 264_192),
    "mlperf_ic_resnet8_int8": (
        {"conv2d": 10, "add": 3, "average_pool2d": 1, "softmax": 1},
        12_501_632,
        77_360,
    ),
    "mlperf_kws_dscnn_int8": (
        {"conv2d": 6, "depthwise_conv2d": 4, "average_pool2d": 1, "softmax": 1},
        2_656_768,
        22_016,
    ),
    "mlperf_vww_mobilenetv1_025_96_int8": (
        MOBILENET | {"conv2d": 15, "softmax": 1},
        7_489_664,
        208_112,
    ),
    "tflm_hello_world_int8": ({"conv2d": 3}, 288, 288),
    "tflm_micro_speech_int8": (
        {"depthwise_conv2d": 1, "conv2d": 1, "softmax": 1},
        336_000,
        16_640,
    ),
    "tflm_person_detect_int8": (
        MOBILENET | {"depthwise_conv2d": 14, "softmax": 1},
        7_157_888,
        207_968,
    ),
    "tinyengine_mcunet_vww_int8": (
        {"conv2d": 31, "depthwise_conv2d": 15, "add": 8, "mean": 2},
        11_578_816,
        420_520,
    ),
}


def shared(name: str) -> Graph:
    path = MODELS / f"{name}.tflite"
    if not path.exists():
        pytest.skip(f"{path.name} is not there: set TINYTRAIN_SHARED to the folder of shared files")
    return load(path)


@pytest.mark.parametrize("name", EXPECTED)
def test_model(name):
    graph = shared(name)
    ops, macs, weights = EXPECTED[name]
    total = totals(summarize(graph))
    assert Counter(node.op for node in graph.nodes) == ops
    assert (total.macs, total.weights) == (macs, weights)


def test_mcunet_backbone():
    """42 convolutions, 22.45 M MAC, and PADs that became the paddings of MIT's table."""
    graph = shared("mcunet_5fps_128_c10")
    rows = [row for row in summarize(graph) if row.trainable][:-1]
    assert len(rows) == 42
    assert sum(row.weights for row in rows) == 463_216
    assert round(sum(row.macs for row in rows) / 1e6, 2) == 22.45
    by_index = {node.index: node for node in graph.nodes}
    strided = {1: 3, 6: 3, 14: 7, 22: 3, 41: 7}
    for index, kernel in strided.items():
        window = by_index[index].attrs.window
        assert (window.kernel, window.stride) == ((kernel, kernel), (2, 2))
        assert window.pad == (kernel // 2, kernel // 2)
        assert window.input.h == 2 * window.output.h
    assert by_index[56].name == "dense_1"
    assert by_index[56].attrs.float32_product


def test_tinyengine_head():
    """TRANSPOSE to NCHW and two MEANs: width, then height, in memory order."""
    graph = shared("tinyengine_mcunet_vww_int8")
    means = [node.attrs for node in graph.nodes if node.op == "mean"]
    assert means == [Mean(3, 3, 160), Mean(1, 3, 160)]
    assert (graph.input.model_dtype, graph.output.model_dtype) == ("float32", "float32")
    assert graph.input.shape == (1, 80, 80, 3)


def test_depth_multiplier_of_person_detect():
    first = shared("tflm_person_detect_int8").nodes[0].attrs
    window = Window(Hwc(96, 96, 1), Hwc(48, 48, 8), (3, 3), (2, 2), (0, 0))
    assert first == DepthwiseConv2D(window)
    assert first.multiplier == 8


def test_kernels_that_are_not_square():
    window = shared("mlperf_kws_dscnn_int8").nodes[0].attrs.window
    assert window == Window(Hwc(49, 10, 1), Hwc(25, 5, 64), (10, 4), (2, 2), (4, 1))


def test_operands_of_different_scale():
    graph = shared("mlperf_ic_resnet8_int8")
    add = next(node for node in graph.nodes if node.op == "add")
    a, b = (graph.tensors[name].quant.per_tensor for name in add.inputs)
    assert a != b


@pytest.mark.parametrize("part", range(20))
def test_truncated(tmp_path, part):
    source = MODELS / "mlperf_kws_dscnn_int8.tflite"
    if not source.exists():
        pytest.skip("no shared models")
    data = source.read_bytes()
    path = tmp_path / "cut.tflite"
    path.write_bytes(data[: len(data) * part // 20])
    with pytest.raises(ImportModelError, match=r"cut\.tflite"):
        load(path)
