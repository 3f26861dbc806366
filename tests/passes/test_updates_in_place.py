"""What a step does to the parameters: minus rate times gradient, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from oracle.autograd import gradients as oracle_gradients
from oracle.sgd import train
from support.nets import Net
from support.training import examples_of_classes
from support.zoo import ZOO
from tinytrain.compilation import Compiled, compile_graph
from tinytrain.ir.program import Region, StateField
from tinytrain.passes.update import LayerUpdate
from tinytrain.sim.interpreter import Interpreter

FRACTION = 256.0


def field_array(machine: Interpreter, f: StateField) -> np.ndarray:
    nbytes = int(np.prod(f.shape)) * np.dtype(f.dtype).itemsize
    raw = machine.memory[Region.STATE][f.offset : f.offset + nbytes]
    return raw.view(f.dtype).reshape(f.shape)


def real_values(machine: Interpreter, compiled: Compiled) -> dict[str, np.ndarray]:
    """Trained parameters with their fractions, in real values, by "layer/kind"."""
    fields = {f"{f.layer}/{f.kind}": f for f in compiled.program.state}
    found = {}
    for key, f in fields.items():
        if f.kind.endswith("fraction"):
            continue
        value = field_array(machine, f).astype(np.float64)
        fraction = field_array(machine, fields[f"{key}_fraction"]) / FRACTION
        value[..., : fraction.shape[-1]] += fraction
        along = [1] * value.ndim
        along[f.axis] = -1
        found[key] = value * np.broadcast_to(f.scale, value.shape[f.axis]).reshape(along)
    return found


@pytest.mark.parametrize("kind", ZOO)
def test_one_step_is_rate_times_gradient(kind: str) -> None:
    """Through the rounding of updates too: what is lost below 2^-8 is small beside the rest here.

    The order counts as well: each gradient is taken at the parameters before the step.
    """
    model = ZOO[kind](2)
    compiled = model.compiled("all")
    x, label, lr = model.noise(3), 1, 0.02
    machine = Interpreter(compiled.program, compiled.arena)
    before = real_values(machine, compiled)
    machine.step(x, label, lr)
    after = real_values(machine, compiled)
    _, gradients = oracle_gradients(compiled, x, label)
    for key, gradient in gradients.items():
        layer, what = key.split("/")
        field = next(f for f in compiled.program.state if (f.layer, f.kind) == (layer, what))
        along = [1] * gradient.ndim
        along[field.axis] = -1
        unit = np.broadcast_to(field.scale, gradient.shape[field.axis]).reshape(along)
        start, move = before[key] / unit, -lr * gradient / unit
        error = np.abs(after[key] / unit - (start + move))
        if what == "weight":  # the integer ends at 127, with or without its fraction
            error = np.where(np.abs(start + move) >= 126.99, 0, error)
            assert np.abs(after[key] / unit).max() < 127.5
        # dithered to 2^-8 of a unit; the gradient itself is right to a percent
        assert error.max() <= 1 / FRACTION + 0.02 * np.abs(move).max() + 1e-9, key


@pytest.mark.parametrize(("kind", "update"), [("residual", "all"), ("keywords", "last:2")])
def test_rate_zero_counts_the_step_and_nothing_else(kind: str, update: str) -> None:
    model = ZOO[kind](0)
    compiled = model.compiled(update)
    machine = Interpreter(compiled.program, compiled.arena)
    before = machine.memory[Region.STATE].copy()
    losses = {machine.step(model.noise(1), 0, 0.0) for _ in range(5)}
    assert len(losses) == 1
    after = machine.memory[Region.STATE]
    assert after[:4].view(np.uint32)[0] == 5
    np.testing.assert_array_equal(after[4:], before[4:])
    machine.reset()
    np.testing.assert_array_equal(machine.memory[Region.STATE], before)


@pytest.mark.parametrize("kind", ["residual", "keywords", "tangle"])
def test_curves_of_integer_and_float_training(kind: str) -> None:
    """100 steps of SGD in float64 have the same losses, up to the noise of rounded weights."""
    model = ZOO[kind](1)
    compiled = model.compiled("all")
    xs, ys = examples_of_classes(model, compiled.program.classes, 100)
    machine = Interpreter(compiled.program, compiled.arena)
    ours = np.array([machine.step(x, int(y), 0.02) / 2**20 for x, y in zip(xs, ys, strict=True)])
    theirs = train(compiled.graph, compiled.scheme, xs, ys, 0.02)
    assert theirs[50:].mean() < 0.9 * theirs[:50].mean()  # there is something to follow
    for half in (slice(0, 50), slice(50, 100)):
        assert abs(ours[half].mean() / theirs[half].mean() - 1) < 0.03
    assert np.abs(ours - theirs).mean() < 0.08 * theirs.mean()
    assert np.corrcoef(ours, theirs)[0, 1] > 0.97


@pytest.mark.parametrize("kind", ["residual", "branches", "keywords"])
def test_learning(kind: str) -> None:
    """Separable classes are learned: the loss falls, unseen examples are classified."""
    model = ZOO[kind](4)
    compiled = model.compiled("all")
    classes = compiled.program.classes
    xs, ys = examples_of_classes(model, classes, 400, noise=20)
    machine = Interpreter(compiled.program, compiled.arena)

    def accuracy() -> float:
        return float(
            np.mean(
                [machine.predict(x).argmax() == y for x, y in zip(xs[300:], ys[300:], strict=True)]
            )
        )

    before = accuracy()
    losses = [machine.step(x, int(y), 0.01) for x, y in zip(xs[:300], ys[:300], strict=True)]
    assert np.mean(losses[-50:]) < 0.6 * np.mean(losses[:50])
    assert before < 0.6 and accuracy() > 0.95


def test_fractions_of_channels() -> None:
    """Only the first input channels move; of a depthwise layer the outputs that read them."""
    net = Net(5)
    x = net.input(1, 6, 6, 4)
    y = net.depthwise(net.conv(x, 6, activation="RELU"), multiplier=2, activation="RELU")
    model = net.model(x, net.dense(net.flatten(y), 3))
    graph = model.graph()
    first, depthwise, head = (n.name for n in graph.nodes)
    program = compile_graph(graph, "all").program
    assert {f.layer for f in program.state} == {first, depthwise, head}
    scheme = {first: LayerUpdate(3, False), depthwise: LayerUpdate(2, True)}
    compiled = _with_scheme(compile_graph(graph, "all"), scheme)
    machine = Interpreter(compiled.program, compiled.arena)
    fields = {f"{f.layer}/{f.kind}": f for f in compiled.program.state}
    assert set(fields) == {
        f"{first}/weight",
        f"{first}/weight_fraction",
        f"{depthwise}/weight",
        f"{depthwise}/weight_fraction",
        f"{depthwise}/bias",
        f"{depthwise}/bias_fraction",
    }
    assert fields[f"{first}/weight_fraction"].shape == (6, 3, 3, 3)
    assert fields[f"{depthwise}/weight_fraction"].shape == (1, 3, 3, 4)
    before = {key: field_array(machine, f).copy() for key, f in fields.items()}
    for i in range(30):
        machine.step(model.noise(i), i % 3, 0.1)
    for layer, trained in ((first, 3), (depthwise, 4)):
        moved = field_array(machine, fields[f"{layer}/weight"]) != before[f"{layer}/weight"]
        assert moved.shape[-1] == trained
        assert moved.mean() > 0.3


def _with_scheme(compiled: Compiled, scheme: dict[str, LayerUpdate]) -> Compiled:
    from tinytrain.passes.lower import lower
    from tinytrain.plan.arena import plan_calls

    program = lower(compiled.graph, scheme)
    return replace(compiled, scheme=scheme, program=program, arena=plan_calls(program))


def test_layout_of_the_state() -> None:
    """The number of steps, then for each trained layer weight, its fraction, bias, its fraction,
    each at a multiple of 4; the integers begin as the model's, the fractions as zero."""
    for kind in ZOO:
        compiled = ZOO[kind](0).compiled("all")
        program, graph = compiled.program, compiled.graph
        machine = Interpreter(program, compiled.arena)
        at = 4
        for f in program.state:
            assert f.offset == at, f
            at += -(-int(np.prod(f.shape)) * np.dtype(f.dtype).itemsize // 4) * 4
            data = graph.tensors[f.tensor].data
            value = field_array(machine, f)
            if f.kind in ("weight", "bias"):
                np.testing.assert_array_equal(value, data)
                assert f.dtype == {"weight": "int8", "bias": "int32"}[f.kind]
            else:
                assert f.dtype == "int8" and not value.any()
        assert at == program.state_bytes
        kinds = [(f.layer, f.kind) for f in program.state]
        expected = []
        for node in graph.nodes:
            if node.weight is not None:
                expected += [(node.name, "weight"), (node.name, "weight_fraction")]
            if node.bias is not None:
                expected += [(node.name, "bias"), (node.name, "bias_fraction")]
        assert kinds == expected


def test_large_rates_saturate() -> None:
    """Nothing overflows: weights that move stay within 127, losses are finite."""
    net = Net(0)
    x = net.input(1, 6, 6, 2)
    y = net.conv(x, 4, weights="ends", activation="RELU")
    model = net.model(x, net.dense(net.flatten(y), 3))
    compiled = model.compiled("all")
    machine = Interpreter(compiled.program, compiled.arena)
    for i in range(40):
        loss = machine.step(model.noise(i), i % 3, float(10.0 ** (i % 12 - 2)))
        assert 0 <= loss < 2**31
    for f in compiled.program.state:
        value = field_array(machine, f).astype(np.int64)
        if f.kind == "weight":
            moved = value != compiled.graph.tensors[f.tensor].data
            assert np.abs(value[moved]).max() <= 127
        if f.kind == "bias":
            assert np.abs(value).max() <= 2**30
