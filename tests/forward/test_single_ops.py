"""Every op alone, ordinary and extreme shapes and scales: bit for bit what tflite-micro says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support import tflm
from support.examples import examples
from support.nets import Act, Model, Net
from tinytrain.sim.interpreter import Interpreter

# 20 times as many for the long run
SCALES = [pytest.param(1, id="few"), pytest.param(20, id="many", marks=pytest.mark.slow)]

ACTIVATIONS = ("NONE", "RELU", "RELU6", "RELU_N1_TO_1")
seeds = st.integers(0, 2**20)
zeros = st.sampled_from([-128, 127, 0]) | st.integers(-128, 127)
# factors on a natural scale: saturation on one side, all outputs equal on the other
factors = st.sampled_from([1.0, 1.0, 1.0, 0.05, 0.3, 5.0, 1e3, 1e-3])
sizes = st.integers(1, 9)
kernels = st.tuples(st.integers(1, 5), st.integers(1, 5))
strides = st.tuples(st.integers(1, 3), st.integers(1, 3))
channels = st.integers(1, 9)


def check(model: Model, kinds: set[str] | None = None, n: int = 3) -> None:
    """Compare on noise and on the ends of the range. kinds: the ops that the graph must have."""
    compiled = model.compiled()
    if kinds is not None:
        assert {node.op for node in compiled.graph.nodes} == kinds
    rng = np.random.default_rng(len(model.data))
    low, high = (0, model.indices - 1) if model.indices else (-128, 127)
    dtype = np.int32 if model.indices else np.int8
    ends = rng.choice([low, high], model.shape).astype(dtype)
    flat = np.full(model.shape, rng.integers(low, high + 1), dtype)
    inputs = np.array([*model.noise(1, n), ends, flat])
    machine = Interpreter(compiled.program, compiled.arena)
    ours = np.array([machine.predict(x) for x in inputs])
    np.testing.assert_array_equal(ours, tflm.outputs(model.data, inputs).reshape(ours.shape))


def source(net: Net, draw: Any, *shape: int) -> Act:
    scale = draw(st.sampled_from([0.015, 0.5, 1e-4]))
    return net.input(*shape, scale=scale, zero=draw(zeros))


def output(draw: Any, x: Act, gain: float = 1.0) -> dict[str, Any]:
    """Quantization and activation of an output."""
    natural = x.rms * gain / 40
    return {
        "activation": draw(st.sampled_from(ACTIVATIONS)),
        "scale": natural * draw(factors),
        "zero": draw(zeros),
    }


def parameters(draw: Any) -> dict[str, Any]:
    """Kinds of weights and biases."""
    return {
        "per_channel": draw(st.booleans()),
        "bias": draw(st.booleans()),
        "weights": draw(st.sampled_from(["uniform", "uniform", "ends", "dead"])),
        "biases": draw(st.sampled_from(["normal", "normal", "ends"])),
        "spread": draw(st.sampled_from([0.0, 0.3, 3.0])),
    }


def fitting_map(draw: Any, kernel: tuple[int, int], padding: str) -> tuple[int, int]:
    """A map that the kernel fits into, if nothing is padded."""
    h, w = draw(sizes), draw(sizes)
    return (max(h, kernel[0]), max(w, kernel[1])) if padding == "VALID" else (h, w)


def conv(draw: Any, depthwise: bool) -> None:
    kernel, stride = draw(kernels), draw(strides)
    padding = draw(st.sampled_from(["SAME", "VALID"]))
    net = Net(draw(seeds))
    x = source(net, draw, 1, *fitting_map(draw, kernel, padding), draw(channels))
    how = parameters(draw) | output(draw, x)
    if depthwise:
        how["multiplier"] = draw(st.integers(1, 4))
        y = net.depthwise(x, kernel, stride, padding, **how)
    else:
        y = net.conv(x, draw(channels), kernel, stride, padding, **how)
    check(net.model(x, y), {"depthwise_conv2d" if depthwise else "conv2d"})


def dense(draw: Any) -> None:
    net = Net(draw(seeds))
    rows = draw(st.sampled_from([(1,), (1,), (1, 3), (1, 2, 2)]))
    x = source(net, draw, *rows, draw(st.integers(1, 40)))
    how = {"keep_num_dims": len(rows) > 1} | parameters(draw) | output(draw, x)
    y = net.dense(x, draw(channels), **how)
    check(net.model(x, y), {"conv2d"})


def embedding(draw: Any) -> None:
    net = Net(draw(seeds))
    x = net.index_input(*draw(st.sampled_from([(1, 1), (1, 6), (9,)])))
    rows, depth = draw(st.integers(1, 300)), draw(channels)
    code = "EMBEDDING_LOOKUP" if len(x.shape) == 1 and draw(st.booleans()) else "GATHER"
    check(net.model(x, net.embedding(x, rows, depth, 0.01, draw(zeros), code)), {"embedding"})


def add(draw: Any) -> None:
    net = Net(draw(seeds))
    x = source(net, draw, 1, draw(sizes), draw(sizes), draw(channels))
    other = net.elementwise("QUANTIZE", x, x.scale * draw(factors), draw(zeros))
    operands = draw(st.sampled_from([(x, other), (other, x), (x, x)]))
    larger = max(a.scale for a in operands)
    how = output(draw, x)
    # below that the reference stops: its multiplier must be below 1
    how["scale"] = max(how["scale"], larger * 2**-18)
    check(net.model(x, net.add(*operands, **how)))


def pool(draw: Any, code: str, kind: str) -> None:
    kernel, stride = draw(kernels), draw(strides)
    padding = draw(st.sampled_from(["SAME", "VALID"]))
    net = Net(draw(seeds))
    x = source(net, draw, 1, *fitting_map(draw, kernel, padding), draw(channels))
    y = net.pool(code, x, kernel, stride, padding, draw(st.sampled_from(ACTIVATIONS)))
    check(net.model(x, y), {kind})


def mean(draw: Any) -> None:
    net = Net(draw(seeds))
    x = source(net, draw, 1, draw(sizes), draw(sizes), draw(channels))
    same, keep = draw(st.booleans()), draw(st.booleans())
    how = {} if same else {"scale": x.scale * draw(factors), "zero": draw(zeros)}
    axes = draw(st.sampled_from([(1, 2), (2, 1), (1,), (2,), (-3, -2)]))
    if min(axes) < 0:
        axes = tuple(a + 4 for a in axes)
    check(net.model(x, net.mean(x, axes, keep, **how)), {"mean"})


def two_means(draw: Any) -> None:
    """Of NCHW maps, as PyTorch exports have them: the transpose folds away."""
    net = Net(draw(seeds))
    x = source(net, draw, 1, draw(sizes), draw(sizes), draw(st.integers(2, 9)))
    y = net.transpose(x, 0, 3, 1, 2)
    y = net.mean(y, (draw(st.sampled_from([2, 3])),), scale=x.scale * 0.8, zero=draw(zeros))
    y = net.mean(y, (2,), scale=x.scale * 0.5, zero=draw(zeros))
    check(net.model(x, y), {"mean"})


def transpose_to_dense(draw: Any) -> None:
    net = Net(draw(seeds))
    x = source(net, draw, 1, draw(sizes), draw(sizes), draw(channels))
    y = net.flatten(net.transpose(x, 0, 3, 1, 2))
    check(net.model(x, net.dense(y, draw(channels))), {"conv2d"})


def padded_conv(draw: Any, depthwise: bool) -> None:
    """The PAD becomes part of the convolution, unless a window would lie in the border alone."""
    net = Net(draw(seeds))
    x = source(net, draw, 1, draw(sizes), draw(sizes), draw(channels))
    border = st.tuples(st.integers(0, 3), st.integers(0, 3))
    y = net.pad(x, draw(border), draw(border))
    kernel = min(draw(st.integers(1, 5)), y.shape[1]), min(draw(st.integers(1, 5)), y.shape[2])
    padding = draw(st.sampled_from(["VALID", "VALID", "SAME"]))
    if depthwise:
        y = net.depthwise(y, kernel, draw(strides), padding, multiplier=draw(st.integers(1, 2)))
    else:
        y = net.conv(y, draw(channels), kernel, draw(strides), padding)
    check(net.model(x, y))


def standing_pad(draw: Any) -> None:
    net = Net(draw(seeds))
    x = source(net, draw, 1, draw(sizes), draw(sizes), draw(channels))
    border = st.tuples(st.integers(0, 3), st.integers(1, 3))
    y = net.pad(x, draw(border), draw(border))
    y = net.max_pool(y, (1, 2), (1, 1), draw(st.sampled_from(["SAME", "VALID"])))
    check(net.model(x, y), {"pad", "max_pool2d"})


def softmax(draw: Any) -> None:
    net = Net(draw(seeds))
    rows = draw(st.sampled_from([(1,), (1, 3)]))
    scale = draw(st.sampled_from([1e-6, 1e-3, 0.02, 0.1, 0.7, 4.0, 60.0, 1e4]))
    x = net.input(*rows, draw(st.integers(2, 200)), scale=scale, zero=draw(zeros))
    y = net.softmax(x, draw(st.sampled_from([1.0, 1.0, 0.5, 10.0])))
    check(net.model(x, y), {"softmax"})


def quantize(draw: Any) -> None:
    net = Net(draw(seeds))
    x = source(net, draw, 1, draw(sizes), draw(channels))
    y = net.elementwise("QUANTIZE", x, x.scale * draw(factors) * 1.01, draw(zeros))
    check(net.model(x, y), {"requantize"})


def relu(draw: Any) -> None:
    net = Net(draw(seeds))
    x = source(net, draw, 1, draw(sizes), draw(channels))
    check(net.model(x, net.elementwise("RELU", x, x.scale * draw(factors), draw(zeros))))


def relu6(draw: Any) -> None:
    net = Net(draw(seeds))
    x = source(net, draw, 1, draw(sizes), draw(channels))
    check(net.model(x, net.elementwise("RELU6", x, x.scale, x.zero)), {"requantize"})


def reshape(draw: Any) -> None:
    net = Net(draw(seeds))
    h, w, c = draw(sizes), draw(sizes), draw(channels)
    x = source(net, draw, 1, h, w, c)
    y = net.reshape(x, 1, w, c, h)
    check(net.model(x, net.conv(y, 3, (2, 1))), {"conv2d"})


CASES = {
    "conv": (lambda draw: conv(draw, False), 60),
    "depthwise": (lambda draw: conv(draw, True), 60),
    "dense": (dense, 60),
    "embedding": (embedding, 30),
    "add": (add, 60),
    "average_pool": (lambda draw: pool(draw, "AVERAGE_POOL_2D", "average_pool2d"), 40),
    "max_pool": (lambda draw: pool(draw, "MAX_POOL_2D", "max_pool2d"), 30),
    "mean": (mean, 50),
    "two_means": (two_means, 20),
    "transpose_to_dense": (transpose_to_dense, 20),
    "padded_conv": (lambda draw: padded_conv(draw, False), 40),
    "padded_depthwise": (lambda draw: padded_conv(draw, True), 30),
    "standing_pad": (standing_pad, 20),
    "softmax": (softmax, 60),
    "quantize": (quantize, 40),
    "relu": (relu, 30),
    "relu6": (relu6, 20),
    "reshape": (reshape, 15),
}


@pytest.mark.parametrize("times", SCALES)
@pytest.mark.parametrize("name", CASES)
def test_equals_the_reference(name: str, times: int) -> None:
    case, n = CASES[name]

    @examples(n * times)
    @given(data=st.data())
    def run(data: st.DataObject) -> None:
        case(data.draw)

    run()


def test_wide_convolution_and_one_pixel() -> None:
    """Sums of several hundred products, a 1x1 map, weights of -128."""
    net = Net(1)
    x = net.input(1, 1, 1, 300, zero=127)
    check(net.model(x, net.conv(x, 17, (3, 3), weights="ends", per_channel=False)), {"conv2d"}, 10)


@pytest.mark.parametrize("scale", [0.0, 1e-38, 1e-12, 3e5])
def test_dead_and_huge_channels(scale: float) -> None:
    """One channel's weight scale is far from the others', or nothing at all."""
    net = Net(3)
    x = net.input(1, 5, 5, 3)
    scales = np.array([scale, 0.004, 0.007], np.float32)
    weights = net.const(net.rng.integers(-128, 128, (3, 3, 3, 3)), "int8", scale=scales)
    bias = net.const(net.rng.integers(-(2**20), 2**20, 3), "int32", scale=np.float32(1.0))
    y = net.act((1, 5, 5, 3), 0.05, 7)
    options = {"padding": "SAME", "stride_h": 1, "stride_w": 1}
    net.writer.op("CONV_2D", [x.index, weights, bias], [y.index], **options)
    check(net.model(x, y), {"conv2d"}, 5)


def test_large_depthwise_kernel() -> None:
    net = Net(2)
    x = net.input(1, 17, 16, 5, zero=-128)
    y = net.depthwise(x, (7, 7), (2, 2), activation="RELU6")
    check(net.model(x, y), {"depthwise_conv2d"}, 5)


def test_large_mean_and_pool() -> None:
    """Thousands of pixels: reciprocals of large counts."""
    for seed, size in enumerate([(40, 33), (64, 64), (7, 129)]):
        net = Net(seed)
        x = net.input(1, *size, 2, zero=100)
        check(net.model(x, net.mean(x, scale=x.scale / 30, zero=-5)), {"mean"}, 5)
        net = Net(seed)
        x = net.input(1, *size, 2, zero=100)
        check(net.model(x, net.average_pool(x, size, (1, 1))), {"average_pool2d"}, 5)
