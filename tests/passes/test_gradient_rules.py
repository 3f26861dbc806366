"""Every gradient rule against float64 autograd: the op stands between a trained layer and the head.

The first layer's gradients then contain the op's input gradient; the op's own parameters, where it
has some, are trained as well.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.examples import examples
from support.nets import Act, Net
from support.training import Comparison, compare_model
from support.zoo import ZOO
from tinytrain.passes.autodiff import RULES

SCALES = [pytest.param(1, id="few"), pytest.param(15, id="many", marks=pytest.mark.slow)]

seeds = st.integers(0, 2**20)
zeros = st.sampled_from([-128, 127]) | st.integers(-100, 100)
kernels = st.tuples(st.integers(1, 4), st.integers(1, 4))
strides = st.tuples(st.integers(1, 3), st.integers(1, 3))
paddings = st.sampled_from(["SAME", "VALID"])
# RELU6 clips on both sides, RELU with a small scale too
activations = st.sampled_from(["NONE", "RELU", "RELU6"])


def start(net: Net, draw: Any) -> tuple[Act, Act]:
    """An input, and the output of the layer whose gradients are compared."""
    size = draw(st.integers(5, 8)), draw(st.integers(5, 8))
    x = net.input(1, *size, draw(st.integers(1, 3)), zero=draw(zeros))
    return x, net.conv(x, draw(st.integers(2, 5)), (3, 3), activation=draw(activations))


def finish(net: Net, draw: Any, x: Act, y: Act) -> Comparison:
    """A head on all that is left, so that every element has a gradient of its own."""
    y = net.dense(net.flatten(y), draw(st.integers(2, 6)), gain=1.5 / y.rms, scale=0.05, zero=4)
    return compare_model(net.model(x, y), draw(seeds))


def layer_options(draw: Any) -> dict[str, Any]:
    return {
        "activation": draw(activations),
        "per_channel": draw(st.booleans()),
        "bias": draw(st.booleans()),
    }


def conv2d(net: Net, draw: Any) -> Comparison:
    x, y = start(net, draw)
    where = draw(kernels), draw(strides), draw(paddings)
    y = net.conv(y, draw(st.integers(1, 5)), *where, **layer_options(draw))
    return finish(net, draw, x, y)


def depthwise(net: Net, draw: Any) -> Comparison:
    x, y = start(net, draw)
    where = draw(kernels), draw(strides), draw(paddings), draw(st.integers(1, 3))
    return finish(net, draw, x, net.depthwise(y, *where, **layer_options(draw)))


def dense(net: Net, draw: Any) -> Comparison:
    x, y = start(net, draw)
    y = net.dense(net.flatten(y), draw(st.integers(2, 9)), **layer_options(draw))
    return finish(net, draw, x, y)


def embedding(net: Net, draw: Any) -> Comparison:
    """Few rows for many positions, some of which share one; perhaps a second table."""
    x, depth = net.index_input(1, draw(st.integers(1, 9))), draw(st.integers(1, 6))
    y = net.embedding(x, draw(st.integers(1, 12)), depth, 0.01, draw(zeros))
    if draw(st.booleans()):
        y = net.add(y, net.embedding(x, draw(st.integers(1, 12)), depth, 0.02), draw(activations))
    return finish(net, draw, x, y)


def add(net: Net, draw: Any) -> Comparison:
    x, a = start(net, draw)
    b = net.conv(a, a.shape[3], (1, 1))
    pairs = {"residual": (a, b), "twice": (a, a), "swapped": (b, a)}
    y = net.add(*pairs[draw(st.sampled_from(sorted(pairs)))], draw(activations))
    if draw(st.booleans()):
        y = net.add(y, b)
    return finish(net, draw, x, y)


def average_pool2d(net: Net, draw: Any) -> Comparison:
    x, y = start(net, draw)
    where = draw(kernels), draw(strides), draw(paddings), draw(activations)
    return finish(net, draw, x, net.average_pool(y, *where))


def max_pool2d(net: Net, draw: Any) -> Comparison:
    x, y = start(net, draw)
    where = draw(kernels), draw(strides), draw(paddings), draw(activations)
    return finish(net, draw, x, net.max_pool(y, *where))


def mean(net: Net, draw: Any) -> Comparison:
    x, y = start(net, draw)
    axes = draw(st.sampled_from([(1, 2), (1,), (2,)]))
    scale = y.scale * draw(st.sampled_from([1.0, 0.3]))  # the smaller one clips
    zero = y.zero + draw(st.integers(0, 3))
    return finish(net, draw, x, net.mean(y, axes, draw(st.booleans()), scale, zero))


def pad(net: Net, draw: Any) -> Comparison:
    """Before a pool, where it stands."""
    x, y = start(net, draw)
    border = st.tuples(st.integers(0, 2), st.integers(1, 2))
    y = net.max_pool(net.pad(y, draw(border), draw(border)), (2, 2), (1, 1))
    return finish(net, draw, x, y)


def pad_into_conv(net: Net, draw: Any) -> Comparison:
    x, y = start(net, draw)
    border = st.tuples(st.integers(0, 2), st.integers(0, 2))
    y = net.pad(y, draw(border), draw(border))
    return finish(net, draw, x, net.conv(y, 3, (3, 3), draw(strides), "VALID"))


def requantize(net: Net, draw: Any) -> Comparison:
    x, y = start(net, draw)
    scale = y.scale * draw(st.sampled_from([2.0, 1.01, 0.4]))  # the last one clips
    return finish(net, draw, x, net.elementwise("QUANTIZE", y, scale, draw(zeros)))


def relu(net: Net, draw: Any) -> Comparison:
    x, y = start(net, draw)
    y = net.elementwise("RELU", y, y.scale * draw(st.sampled_from([1.0, 0.6])), -128)
    return finish(net, draw, x, y)


def relu6(net: Net, draw: Any) -> Comparison:
    x, y = start(net, draw)
    return finish(net, draw, x, net.elementwise("RELU6", y, y.scale, y.zero))


def head_through_int8(net: Net, draw: Any) -> Comparison:
    """Logits that an op without weights gives are widened from int8."""
    x, y = start(net, draw)
    y = net.conv(y, draw(st.integers(2, 5)), (1, 1), gain=3 / y.rms)
    y = net.reshape(net.average_pool(y, y.shape[1:3], (1, 1)), 1, y.shape[3])
    if draw(st.booleans()):
        y = net.elementwise("QUANTIZE", y, y.scale * 0.8, 7)
    if draw(st.booleans()):
        y = net.softmax(y)
    return compare_model(net.model(x, y), draw(seeds))


def head_of_one_pixel(net: Net, draw: Any) -> Comparison:
    """A convolution down to one pixel gives its sums to the loss."""
    x, y = start(net, draw)
    kernel = y.shape[1], y.shape[2]
    how = {"gain": 1.5 / y.rms, "scale": 0.05, "zero": -7} | layer_options(draw)
    how["activation"] = "NONE"
    y = net.reshape(net.conv(y, 4, kernel, padding="VALID", **how), 1, 4)
    return compare_model(net.model(x, net.softmax(y)), draw(seeds))


def head_with_activation(net: Net, draw: Any) -> Comparison:
    """Clamped logits: the clip mask counts there too."""
    x, y = start(net, draw)
    y = net.dense(net.flatten(y), 5, activation="RELU6", scale=6 / 255, zero=-128)
    return compare_model(net.model(x, y), draw(seeds))


CASES = (
    conv2d,
    depthwise,
    dense,
    embedding,
    add,
    average_pool2d,
    max_pool2d,
    mean,
    pad,
    pad_into_conv,
    requantize,
    relu,
    relu6,
    head_through_int8,
    head_of_one_pixel,
    head_with_activation,
)


@pytest.mark.parametrize("times", SCALES)
@pytest.mark.parametrize("case", CASES, ids=lambda f: f.__name__)
def test_rule(case: Any, times: int) -> None:
    @examples(12 * times)
    @given(data=st.data())
    def run(data: st.DataObject) -> None:
        case(Net(data.draw(seeds)), data.draw).check()

    run()


def test_every_rule_is_here() -> None:
    names = {case.__name__ for case in CASES} | {"depthwise_conv2d"}
    assert set(RULES) <= names


@pytest.mark.parametrize(
    "seeds",
    [
        pytest.param(range(4), id="few"),
        pytest.param(range(4, 60), id="many", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("kind", ZOO)
def test_whole_models(kind: str, seeds: range) -> None:
    for seed in seeds:
        compare_model(ZOO[kind](seed), seed).check()
