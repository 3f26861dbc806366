"""No 32-bit sum of the backward pass overflows: the limits, against sums at their largest."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from support.nets import Model, Net
from support.zoo import ZOO
from tinytrain.errors import BuildError
from tinytrain.ir.ops import Conv2D, DepthwiseConv2D, Embedding, Hwc, Window
from tinytrain.ir.program import Buffer, KernelCall
from tinytrain.passes import bounds
from tinytrain.passes.lower import lower
from tinytrain.passes.update import parse_scheme

INT32 = 2**31


def limit_of(calls: tuple[KernelCall, ...], gradient: Buffer) -> int:
    """What the call that wrote a gradient promises of its mantissas (the latest one: in place)."""
    for call in calls:
        if any(call.args.get(k) == gradient for k in ("dx", "d_logits", "y")):
            return int(call.args["p"]["limit"])  # type: ignore[index, call-overload, arg-type]
    raise AssertionError(gradient)


@pytest.mark.parametrize("kind", ZOO)
def test_every_sum_fits(kind: str) -> None:
    """Worst case of each call: mantissas at the limit, weights and inputs at their largest."""
    graph = ZOO[kind](0).graph()
    scheme = parse_scheme(graph, "all")
    calls = lower(graph, scheme).step
    nodes = {n.name: n for n in graph.nodes}
    checked = 0
    for call in calls:
        dy = call.args.get("dy")
        if not isinstance(dy, Buffer):
            continue
        limit = limit_of(calls, dy)
        assert (limit + 1).bit_count() == 1 and 127 <= limit <= 32767
        a = nodes[call.node].attrs
        taps = a.window.kernel[0] * a.window.kernel[1] if hasattr(a, "window") else 0
        if call.kernel == "tt_conv2d_bwd_input":
            assert limit * 127 * taps * a.window.output.c < INT32
        elif call.kernel == "tt_depthwise_conv2d_bwd_input":
            assert isinstance(a, DepthwiseConv2D)
            assert limit * (127 * taps + 1) * a.multiplier < INT32
        elif call.kernel == "tt_embedding_bwd_weight":
            assert isinstance(a, Embedding)
            assert limit * a.count < INT32
        elif call.kernel.endswith("_bwd_weight"):
            shift = call.args["p"]["row_shift"]  # type: ignore[index, call-overload]
            row = a.window.output.w * 255 * limit
            assert row < INT32
            assert a.window.output.h * ((row >> shift) + 1) < INT32
        elif call.kernel == "tt_bias_bwd":
            assert a.window.output.h * a.window.output.w * limit < INT32
        elif call.kernel == "tt_max_pool2d_bwd":
            assert taps * limit < INT32
        checked += 1
    assert checked > 3


@pytest.mark.parametrize(
    "window",
    [
        Window(Hwc(7, 5, 1), Hwc(7, 5, 1), (3, 3), (1, 1), (1, 1)),
        Window(Hwc(8, 8, 1), Hwc(4, 4, 1), (2, 2), (2, 2)),
        Window(Hwc(9, 4, 1), Hwc(3, 2, 1), (5, 3), (3, 2), (1, 0)),
        Window(Hwc(6, 6, 1), Hwc(1, 1, 1), (6, 6)),
        Window(Hwc(3, 3, 1), Hwc(3, 3, 1), (7, 7), (1, 1), (3, 3)),
    ],
)
def test_average_pool_sum(window: Window) -> None:
    """Against a loop over output pixels and taps."""
    bits = bounds.average_pool_bits(window)
    total = np.zeros((window.input.h, window.input.w), np.int64)
    for y in range(window.output.h):
        for x in range(window.output.w):
            inside = [
                (y * window.stride[0] - window.pad[0] + i, x * window.stride[1] - window.pad[1] + j)
                for i in range(window.kernel[0])
                for j in range(window.kernel[1])
            ]
            inside = [
                (i, j) for i, j in inside if 0 <= i < window.input.h and 0 <= j < window.input.w
            ]
            n = len(inside)
            for place in inside:
                total[place] += ((1 << bits) + n // 2) // n
    assert bounds.average_pool_sum(window) == total.max()
    limit = (INT32 - 1) // int(total.max())
    assert limit * total.max() < INT32


def test_row_shift_is_the_smallest() -> None:
    for height, width, limit in [(1, 1, 127), (200, 200, 32767), (32, 32, 4095), (500, 3, 32767)]:
        window = Window(Hwc(height, width, 1), Hwc(height, width, 1), (1, 1))
        shift = bounds.row_shift(window, 255, limit)
        row = width * 255 * limit
        assert height * ((row >> shift) + 1) < INT32
        assert shift == 0 or height * ((row >> (shift - 1)) + 1) >= INT32


def test_bias_limit_leaves_room_for_the_sums() -> None:
    for kind in ZOO:
        graph = ZOO[kind](0).graph()
        scheme = parse_scheme(graph, "all")
        for node in graph.nodes:
            if node.bias is None:
                continue
            a = node.attrs
            assert isinstance(a, Conv2D | DepthwiseConv2D)
            depth = a.window.input.c if isinstance(a, Conv2D) else 1
            products = a.window.kernel[0] * a.window.kernel[1] * depth
            zero = graph.tensors[node.inputs[0]].quant.zero_point
            largest = products * 127 * max(127 - zero, 128 + zero)
            assert 0 < bounds.bias_limit(graph, scheme, node) <= INT32 - 1 - largest


# ---- what is refused


def refused(model: Model, update: str, message: str) -> None:
    graph = model.graph()
    with pytest.raises(BuildError, match=message):
        lower(graph, parse_scheme(graph, update))


def test_sums_that_are_too_long() -> None:
    """So many outputs read one input that mantissas would have less than 7 bits: that layer may be
    frozen below."""
    net = Net(0)
    x = net.input(1, 1, 1, 1)
    y = net.conv(x, 1, (1, 1))
    y = net.conv(y, 20000, (3, 3), weights="ends")
    y = net.conv(y, 2, (1, 1))
    model = net.model(x, net.reshape(y, 1, 2))
    refused(model, "all", "op 1 CONV_2D: sums of the backward pass are too long.*freeze this layer")
    assert lower(model.graph(), parse_scheme(model.graph(), "last:2")).step


def test_logits_that_leave_their_fixed_point() -> None:
    net = Net(0)
    x = net.input(1, 8, scale=1e4)
    model = net.model(x, net.dense(x, 3, scale=1e5, zero=0))
    refused(model, "all", "the logits of this head could exceed")
    assert lower(model.graph(), {}).predict


def test_sum_with_a_tiny_output_scale() -> None:
    """The reference stops there."""
    net = Net(0)
    x = net.input(1, 8)
    model = net.model(x, net.add(x, x, scale=x.scale * 2**-20, zero=0))
    refused(model, "none", "op 0 ADD: output scale .* is too small beside its inputs'")


def test_axis_that_is_too_long() -> None:
    net = Net(0)
    x = net.input(1, 40000)
    model = net.model(x, net.dense(x, 2))
    refused(model, "none", "op 0 FULLY_CONNECTED: tt_window.in_c = 40000 does not fit int16_t")


def test_scales_of_dead_channels() -> None:
    """Scale 0, scale 1e-30 and weights that are all 0: nothing overflows, scale 0 never moves."""
    net = Net(0)
    x = net.input(1, 5, 5, 2)
    y = net.conv(x, 4, activation="RELU")
    graph = net.model(x, net.dense(net.flatten(y), 3)).graph()
    weight = graph.nodes[0].weight
    assert weight is not None
    tensor = graph.tensors[weight]
    scale = (0.0, 1e-30, *tensor.quant.scale[2:])
    data = tensor.data.copy()
    data[2] = 0
    changed = replace(tensor, quant=replace(tensor.quant, scale=scale), data=data)
    graph = replace(graph, tensors=dict(graph.tensors) | {weight: changed})
    program = lower(graph, parse_scheme(graph, "all"))
    from tinytrain.ir.program import Region
    from tinytrain.plan.arena import plan_arena
    from tinytrain.plan.lifetime import lifetimes
    from tinytrain.sim.interpreter import Interpreter

    machine = Interpreter(program, plan_arena(lifetimes(program)))
    (field,) = (f for f in program.state if (f.layer, f.kind) == ("conv2d_1", "weight"))
    raw = machine.memory[Region.STATE][field.offset :][: data.size].view(np.int8)
    before = raw.reshape(data.shape).copy()
    for i in range(20):
        x_in = np.random.default_rng(i).integers(-128, 128, 50).astype(np.int8)
        assert 0 <= machine.step(x_in, i % 3, 0.5) < INT32
    after = raw.reshape(data.shape)
    np.testing.assert_array_equal(after[0], before[0])
    assert np.abs(after[before != after].astype(int)).max() <= 127
    assert not np.array_equal(after[3], before[3])


def test_message_names_the_file() -> None:
    net = Net(0)
    x = net.input(1, 8)
    graph = net.model(x, net.add(x, x, scale=x.scale * 2**-20, zero=0)).graph()
    with pytest.raises(BuildError) as error:
        lower(graph, {})
    assert re.match(r"model: op 0 ADD", str(error.value))
