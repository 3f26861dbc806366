"""Chains of layers computed tile by tile: the bits of whole maps, whatever the tiles."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.examples import examples
from support.nets import Model, Net
from support.shared import path_of
from tinytrain.compilation import DEFAULTS, Compiled, compile_graph, compile_model
from tinytrain.ir import Graph
from tinytrain.ir.program import KernelCall, Program, Region
from tinytrain.passes.lower import lower
from tinytrain.passes.patches import Chain, patchable
from tinytrain.passes.update import parse_scheme
from tinytrain.plan.arena import plan_arena
from tinytrain.plan.lifetime import lifetimes
from tinytrain.sim.interpreter import Interpreter
from tinytrain.sim.trainer import Trainer

WHOLE = replace(DEFAULTS, patches=0)
MCUNET = "mcunet_5fps_128_c10"


def windows(draw: st.DrawFn) -> Model:
    """Layers with odd kernels, strides and paddings, then a head."""
    net = Net(draw(st.integers(0, 1000)))
    x = y = net.input(1, draw(st.integers(5, 14)), draw(st.integers(5, 14)), 3)
    for _ in range(draw(st.integers(2, 5))):
        kernel = (draw(st.integers(1, 3)), draw(st.integers(1, 4)))
        if min(y.shape[1] - kernel[0], y.shape[2] - kernel[1]) < 1:
            break
        how = {
            "stride": (draw(st.integers(1, 2)), draw(st.integers(1, 2))),
            "padding": draw(st.sampled_from(["SAME", "VALID"])),
        }
        match draw(st.sampled_from(["conv", "depthwise", "max"])):
            case "conv":
                y = net.conv(y, draw(st.integers(1, 5)), kernel, activation="RELU", **how)
            case "depthwise":
                y = net.depthwise(y, kernel, **how)
            case "max":
                y = net.max_pool(y, kernel, **how)
    return net.model(x, net.dense(net.flatten(y), 3))


@st.composite
def chained(draw: st.DrawFn) -> tuple[Model, Graph, Chain]:
    """A model, and a chain somewhere in it with a tile of any size, even beyond the map."""
    model = windows(draw)
    graph = model.graph()
    nodes = [n for n in graph.nodes[:-1] if patchable(n)]
    start = draw(st.integers(0, len(nodes) - 1))
    end = draw(st.integers(start + 1, len(nodes)))
    tile = (draw(st.integers(1, 6)), draw(st.integers(1, 6)))
    return model, graph, Chain(tuple(n.name for n in nodes[start:end]), tile)


def machine(program: Program) -> Interpreter:
    return Interpreter(program, plan_arena(lifetimes(program)))


@examples(60)
@given(chained())
def test_tiles_change_no_bit(case: tuple[Model, Graph, Chain]) -> None:
    model, graph, chain = case
    scheme = parse_scheme(graph, "last:1")
    whole = machine(lower(graph, scheme))
    tiled = machine(lower(graph, scheme, chains=[chain]))
    x = model.noise(5)
    assert (tiled.predict(x) == whole.predict(x)).all()
    for label in (0, 2, 1):
        assert tiled.step(x, label, 0.03) == whole.step(x, label, 0.03)
    assert (tiled.memory[Region.STATE] == whole.memory[Region.STATE]).all()


@pytest.fixture(scope="module")
def wide() -> Model:
    """A stem that sets the peak."""
    net = Net(3)
    x = net.input(1, 64, 64, 3)
    y = net.conv(x, 16, (3, 3), stride=(2, 2), activation="RELU")
    y = net.depthwise(y, (3, 3), activation="RELU6")
    y = net.conv(y, 48, (1, 1), activation="RELU")
    y = net.depthwise(y, (3, 3), stride=(2, 2))
    y = net.max_pool(y, (2, 2), stride=(2, 2))
    return net.model(x, net.dense(net.flatten(y), 4))


def chains_of(compiled: Compiled) -> list[KernelCall]:
    return [c for c in (*compiled.program.predict, *compiled.program.step) if c.body]


def test_chosen_where_the_peak_is(wide: Model) -> None:
    """Generated C included: simulated, both give the same bits."""
    whole, tiled = (compile_graph(wide.graph(), "last:1", o) for o in (WHOLE, DEFAULTS))
    assert not chains_of(whole)
    assert chains_of(tiled)
    assert tiled.arena.nbytes < 0.7 * whole.arena.nbytes
    a, b = Trainer(whole), Trainer(tiled)
    for i in range(3):
        x = wide.noise(i)
        assert (a.predict(x) == b.predict(x)).all()
        assert a.step(x, i) == b.step(x, i)
    assert bytes(a.state) == bytes(b.state)


def test_extra_work_is_stated_and_limited(wide: Model) -> None:
    graph = wide.graph()
    whole = sum(c.macs for c in compile_graph(graph, "none", WHOLE).program.predict)
    arenas = []
    for percent in (5, 20, 80):
        compiled = compile_graph(graph, "none", replace(DEFAULTS, patches=percent))
        calls = compiled.program.predict
        counted = sum(c.macs for c in calls)
        inner = sum(k.macs * c.tiles[0] * c.tiles[1] for c in calls for k in c.body)
        assert inner == sum(c.macs for c in calls if c.body)
        assert counted - whole == sum(c.extra_macs for c in calls) <= whole * percent / 100
        arenas.append(compiled.arena.nbytes)
    assert arenas == sorted(arenas, reverse=True)
    assert arenas[0] > arenas[-1]


def test_layers_that_are_saved_stay_whole(wide: Model) -> None:
    """Of a step that trains everything: what backward reads has to exist."""
    assert not chains_of(compile_graph(wide.graph(), "all"))


def test_small_models_are_left_alone() -> None:
    """What is saved has to outweigh the code of the loops."""
    net = Net(0)
    x = net.input(1, 8, 8, 2)
    y = net.conv(net.conv(x, 8), 4)
    compiled = compile_graph(net.model(x, net.dense(net.flatten(y), 2)).graph(), "none")
    assert not chains_of(compiled)


def test_mcunet() -> None:
    """The stem of a real model: less than half the memory of whole layers, for 8 % more work."""
    compiled = compile_model(path_of(MCUNET), "none")
    whole = compile_model(path_of(MCUNET), "none", WHOLE)
    assert whole.arena.nbytes >= 163_840
    assert compiled.arena.nbytes < 75_000
    x = np.random.default_rng(0).integers(-128, 128, 128 * 128 * 3).astype(np.int8)
    outputs = [Interpreter(c.program, c.arena).predict(x) for c in (compiled, whole)]
    assert (outputs[0] == outputs[1]).all()
