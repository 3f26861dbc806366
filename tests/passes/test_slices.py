"""Layers trained in part: kept as slices, they learn the bits they would learn as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from oracle.autograd import gradients as oracle_gradients
from support.examples import examples
from support.nets import Model, Net
from tinytrain.compilation import compile_graph
from tinytrain.errors import UpdateError
from tinytrain.exporters.trained import with_state
from tinytrain.ir import Graph
from tinytrain.ir.optimizer import PLAIN, Optimizer
from tinytrain.ir.program import GradientType, Program, Region
from tinytrain.passes import slices
from tinytrain.passes.lower import lower
from tinytrain.passes.slices import sliced_layers
from tinytrain.passes.update import LayerUpdate, Scheme, layers, parse_scheme
from tinytrain.plan.arena import plan_calls
from tinytrain.sim.interpreter import Interpreter
from tinytrain.sim.trainer import Trainer

OPTIMIZERS = (PLAIN, Optimizer(momentum=True, weight_decay=True, master=12), Optimizer(batch=True))


@st.composite
def cases(draw: st.DrawFn) -> tuple[Model, Graph, dict[str, LayerUpdate]]:
    """A model with branches, layers trained in part, wholly or not at all."""
    net = Net(draw(st.integers(0, 1000)))
    x = net.input(1, 6, 5, 4)
    wide = draw(st.sampled_from([6, 8, 16]))
    y = net.conv(x, wide, (3, 3), activation="RELU")
    z = net.depthwise(y, (3, 2), multiplier=draw(st.integers(1, 2)), activation="RELU6")
    z = net.conv(z, wide, (1, 1))
    y = net.add(y, z) if draw(st.booleans()) else z
    y = net.max_pool(y, (2, 2), stride=(2, 2)) if draw(st.booleans()) else y
    y = net.conv(y, 5, (2, 2), bias=draw(st.booleans()), activation="RELU")
    model = net.model(x, net.dense(net.flatten(y), 3))
    graph = model.graph()
    scheme = {}
    for node in layers(graph):
        most = node.attrs.window.input.c  # type: ignore[union-attr]
        n = draw(st.integers(0, most))
        bias = node.bias is not None and draw(st.booleans())
        if n or bias:
            scheme[node.name] = LayerUpdate(n, bias)
    last = layers(graph)[-1].name
    return model, graph, scheme or {last: LayerUpdate(1, False)}


def machine(program: Program) -> Interpreter:
    return Interpreter(program, plan_calls(program))


def train(machine: Interpreter, model: Model, batch: bool) -> list[int]:
    losses = []
    for i in range(4):
        how = {"momentum": 0.5, "decay": 0.01} if machine.program.optimizer.momentum else {}
        losses.append(machine.step(model.noise(i), i % 3, 0.05, accumulate=batch, **how))
    if batch:
        machine.apply(0.05)
    return losses


def trained_tensors(
    graph: Graph, program: Program, state: NDArray[np.uint8]
) -> Mapping[str, NDArray[np.generic]]:
    whole = with_state(graph, program.state, state.tobytes()).tensors
    return {f.tensor: np.asarray(whole[f.tensor].data) for f in program.state}


def tensors(graph: Graph, machine: Interpreter) -> Mapping[str, NDArray[np.generic]]:
    return trained_tensors(graph, machine.program, machine.memory[Region.STATE])


@examples(25)
@given(cases(), st.sampled_from(OPTIMIZERS), st.sampled_from(list(GradientType)))
def test_slices_learn_the_same_bits(
    case: tuple[Model, Graph, Scheme], optimizer: Optimizer, gradients: GradientType
) -> None:
    model, graph, scheme = case
    options = {"optimizer": optimizer, "gradients": gradients}
    whole = machine(lower(graph, scheme, sliced=(), **options))
    sliced = machine(lower(graph, scheme, **options))
    assert not sliced_layers(graph, whole.program)
    for batch in (False, optimizer.batch):
        assert train(whole, model, batch) == train(sliced, model, batch)
    x = model.noise(9)
    assert (whole.predict(x) == sliced.predict(x)).all()
    ours, theirs = tensors(graph, sliced), tensors(graph, whole)
    assert set(ours) == set(theirs)
    for name, value in theirs.items():
        np.testing.assert_array_equal(ours[name], value, err_msg=name)
    if sliced_layers(graph, sliced.program):
        assert sliced.program.state_bytes < whole.program.state_bytes


@examples(25)
@given(cases(), st.randoms(use_true_random=False), st.sampled_from(list(GradientType)))
def test_large_weights_are_put_together_in_pieces(
    case: tuple[Model, Graph, Scheme], random: Random, gradients: GradientType
) -> None:
    """... or not at all, and learn the same bits; whichever channels are trained."""
    model, graph, scheme = case
    most = {n.name: n.attrs.window.input.c for n in layers(graph)}  # type: ignore[union-attr]
    scattered = {
        name: replace(u, chosen=tuple(sorted(random.sample(range(most[name]), u.channels))))
        for name, u in scheme.items()
    }
    machines = []
    for nbytes in (10**9, 0):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(slices, "WHOLE_BYTES", nbytes)
            patch.setattr(slices, "BLOCK_BYTES", 8 * random.choice([1, 2]) * most["conv2d_2"])
            machines.append(machine(lower(graph, scattered, gradients=gradients)))
    whole, pieces = machines
    assert train(whole, model, False) == train(pieces, model, False)
    np.testing.assert_array_equal(whole.memory[Region.STATE], pieces.memory[Region.STATE])
    assert (whole.predict(model.noise(9)) == pieces.predict(model.noise(9))).all()
    kernels = {c.kernel for c in whole.program.step}, {c.kernel for c in pieces.program.step}
    assert not any("partial" in kernel for kernel in kernels[0])
    eights = most["depthwise_conv2d_1"] % 8 == 0
    if eights and 0 < scheme.get("conv2d_2", LayerUpdate()).channels < most["conv2d_2"]:
        assert "tt_conv2d_s8__partial" in kernels[1]


@pytest.fixture
def wide(tmp_path: Path) -> tuple[Model, str]:
    """A convolution and a depthwise layer, half of which is trained: the largest half."""
    net = Net(11)
    x = net.input(1, 5, 5, 6)
    y = net.conv(x, 8, (3, 3), activation="RELU")
    y = net.depthwise(y, (3, 3), multiplier=2, activation="RELU")
    model = net.model(x, net.dense(net.flatten(y), 3))
    path = tmp_path / "half.toml"
    entries = (
        f'[layer.{n}]\nweight = 0.5\nchannels = "largest"\n'
        for n in ("conv2d_1", "depthwise_conv2d_1")
    )
    path.write_text("".join(entries))
    return model, str(path)


def test_largest_channels_are_chosen(wide: tuple[Model, str]) -> None:
    """By the sum of magnitudes, in real values, an own computation."""
    graph = wide[0].graph()
    scheme = parse_scheme(graph, wide[1])
    for node in layers(graph)[:2]:
        weight = graph.tensors[node.weight or ""]
        assert weight.data is not None
        scale = np.array(weight.quant.scale)
        if node.op == "conv2d":
            size = [np.abs(weight.data[..., i] * scale[:, None, None]).sum() for i in range(6)]
        else:
            size = [
                np.abs(weight.data[0, ..., 2 * i : 2 * i + 2] * scale[2 * i : 2 * i + 2]).sum()
                for i in range(8)
            ]
        best = sorted(np.argsort(size)[len(size) // 2 :].tolist())
        assert list(scheme[node.name].chosen) == best
        assert not scheme[node.name].first


def test_scattered_channels_learn(wide: tuple[Model, str]) -> None:
    """Those channels and no others move, along the oracle's gradient; generated C included."""
    model, update = wide
    compiled = compile_graph(model.graph(), update)
    graph, trainer = compiled.graph, Trainer(compiled)
    x = model.noise(3)
    _, theirs = oracle_gradients(compiled, x, 1)
    ours = trainer.gradients(x, 1)
    machine_ = Interpreter(compiled.program, compiled.arena)
    trainer.lr = 0.5
    for i in range(6):
        trainer.step(model.noise(i), i % 3)
        machine_.step(model.noise(i), i % 3, 0.5)
    after = trained_tensors(graph, compiled.program, np.frombuffer(trainer.state, np.uint8))
    for name, value in tensors(graph, machine_).items():
        np.testing.assert_array_equal(after[name], value)
    for node in layers(graph)[:2]:
        columns = next(f.columns for f in compiled.program.state if f.layer == node.name)
        frozen = np.setdiff1d(np.arange(graph.tensors[node.weight or ""].shape[-1]), columns)
        moved = after[node.weight or ""] != graph.tensors[node.weight or ""].data
        assert moved[..., list(columns)].mean() > 0.3
        assert not moved[..., frozen].any()
        a, b = ours[f"{node.name}/weight"], theirs[f"{node.name}/weight"]
        a, b = a[..., list(columns)].ravel(), b[..., list(columns)].ravel()
        assert a @ b > 0.99 * np.linalg.norm(a) * np.linalg.norm(b)


def test_only_trained_channels_are_kept(wide: tuple[Model, str]) -> None:
    """Of activations, too: no call of the backward pass reads a whole one."""
    compiled = compile_graph(wide[0].graph(), wide[1])
    for call in compiled.program.step:
        if "_bwd_weight" in call.kernel:
            x = call.args["x"]
            assert (
                getattr(x, "nbytes", 0) == 25 * {"conv2d_1": 3, "depthwise_conv2d_1": 4}[call.node]
            )
    by_kind = {(f.layer, f.kind): f.shape for f in compiled.program.state}
    assert by_kind["conv2d_1", "weight"] == by_kind["conv2d_1", "weight_fraction"] == (8, 3, 3, 3)
    assert by_kind["depthwise_conv2d_1", "weight"] == (1, 3, 3, 8)


def test_refused(wide: tuple[Model, str], tmp_path: Path) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text('[layer.conv2d_1]\nweight = 0.5\nchannels = "last"\n')
    with pytest.raises(UpdateError, match='channels must be "first" or "largest", not \'last\''):
        parse_scheme(wide[0].graph(), str(path))
