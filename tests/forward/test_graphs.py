"""Small random models of every kind: bit for bit what tflite-micro says."""

from __future__ import annotations

import numpy as np
import pytest

from support import tflm
from support.nets import Model, Net
from support.zoo import ZOO
from tinytrain.passes.head import find_head
from tinytrain.passes.lower import lower
from tinytrain.plan.arena import plan_arena
from tinytrain.plan.lifetime import lifetimes
from tinytrain.sim.interpreter import Interpreter

SEEDS = [
    pytest.param(range(12), id="few"),
    pytest.param(range(12, 400), id="many", marks=pytest.mark.slow),
]


def check(model: Model, n: int = 3) -> None:
    compiled = model.compiled()
    machine = Interpreter(compiled.program, compiled.arena)
    inputs = model.noise(5, n)
    ours = np.array([machine.predict(x) for x in inputs])
    np.testing.assert_array_equal(ours, tflm.outputs(model.data, inputs).reshape(ours.shape))


@pytest.mark.parametrize("seeds", SEEDS)
@pytest.mark.parametrize("kind", ZOO)
def test_equals_the_reference(kind: str, seeds: range) -> None:
    for seed in seeds:
        check(ZOO[kind](seed))


@pytest.mark.parametrize("kind", ZOO)
def test_every_tensor_equals_the_reference(kind: str) -> None:
    """Not only the output: what the gradients start from is right as well."""
    model = ZOO[kind](3)
    graph, x = model.graph(), model.noise(6)
    program = lower(graph, {})
    machine = Interpreter(program, plan_arena(lifetimes(program)))
    found = {}

    def watch(call, buffers):
        found[call.args["y"].name] = buffers["y"].view(np.int8).copy()

    machine.predict(x, watch)
    expected = tflm.activations(model.data, x)
    assert len(found) == len(graph.nodes)
    for name, value in found.items():
        np.testing.assert_array_equal(value, expected[name].reshape(-1), err_msg=name)


@pytest.mark.parametrize("kind", ZOO)
def test_step_sees_the_same_values(kind: str) -> None:
    """The forward pass within a step (clip masks, longer lives) computes what predict computes."""
    model = ZOO[kind](3)
    compiled, x = model.compiled("all"), model.noise(6)
    machine = Interpreter(compiled.program, compiled.arena)
    found, logits = {}, {}

    def watch(call, buffers):
        name = getattr(call.args.get("y"), "name", "")
        if name.startswith("step#"):
            found[name] = buffers["y"].view(np.int8).copy()
        if name == "#logits":
            logits[name] = buffers["y"].view(np.int32).copy()

    machine.step(x, 0, 0.0, watch)
    expected = tflm.activations(model.data, x)
    assert found and logits
    for name, value in found.items():
        reference = expected[name.removeprefix("step#")]
        np.testing.assert_array_equal(value, reference.reshape(-1), err_msg=name)
    head = find_head(compiled.graph)
    assert head is not None
    output = compiled.graph.tensors[head.node.output].quant
    if head.sums:  # rounded to the output's scale they are the output, but for one unit
        source = compiled.graph.tensors[head.node.inputs[0]].quant.per_tensor
        weight = compiled.graph.tensors[head.node.weight].quant.channels(head.classes)
        real = logits["#logits"] * source * weight
        rounded = np.clip(np.round(real / output.per_tensor) + output.zero_point, -128, 127)
        reference = expected[head.node.output].reshape(-1)
        assert np.abs(rounded - reference).max() <= 1


def test_output_that_is_read_inside() -> None:
    """A tensor that two ops read, one of them at the very end."""
    net = Net(0)
    x = net.input(1, 6, 6, 2)
    a = net.conv(x, 4)
    b = net.conv(net.elementwise("RELU", a, a.scale, -128), 4)
    check(net.model(x, net.add(net.add(b, a), a)))


def test_input_is_read_late() -> None:
    net = Net(0)
    x = net.input(1, 6, 6, 4)
    y = net.conv(net.conv(x, 4), 4)
    check(net.model(x, net.add(x, y)))
