"""Latents: what the frozen layers hand on can be kept, and gives the same bits as the input."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import numpy as np
import pytest

import tinytrain
from support.trainers import compiled
from support.zoo import ZOO
from tinytrain.compilation import Compiled, Options, compile_graph
from tinytrain.errors import DataError
from tinytrain.ir.optimizer import Optimizer
from tinytrain.ir.program import Buffer, Region
from tinytrain.plan.latent import find_latent

BATCH = Options(optimizer=Optimizer(momentum=True, batch=True))


def examples(trainer: tinytrain.Trainer, count: int, seed: int = 3) -> list[tuple[np.ndarray, int]]:
    rng = np.random.default_rng(seed)
    shape = trainer.input_shape
    return [
        (rng.integers(-128, 128, shape).astype(np.int8), i % (trainer.classes or 1))
        for i in range(count)
    ]


def disturb(trainer: tinytrain.Trainer) -> None:
    """Nothing but the latent may come from what was in the arena."""
    rng = np.random.default_rng(trainer._turn)
    trainer._arena[:] = rng.integers(0, 256, trainer._arena.size)


@pytest.mark.parametrize(
    ("kind", "update", "patches"),
    [
        ("mobilenet", "last:1", 0),
        ("mobilenet", "last:3", 400),
        ("residual", "bias:4", 400),
        ("keywords", "last:1", 0),
    ],
)
def test_a_latent_stands_for_its_input(kind: str, update: str, patches: int) -> None:
    graph = compiled(kind, 0, "all")[1].graph
    model = compile_graph(graph, update, Options(patches=patches))
    whole, cut = tinytrain.Trainer(model), tinytrain.Trainer(model)
    kept = [(x, whole.encode(x), y) for x, y in examples(whole, 5)]
    assert {z.shape for _, z, _ in kept} == {(whole.latent_size,)}
    for x, z, y in kept * 2:
        disturb(cut)
        assert np.array_equal(cut.predict(z, latent=True), whole.predict(x))
        disturb(cut)
        assert cut.step(z, y, latent=True) == whole.step(x, y)
        assert np.array_equal(cut.state, whole.state)
        assert np.array_equal(cut.encode(x), z)  # whatever was learned
    pairs = [(z, y) for _, z, y in kept]
    assert cut.evaluate(pairs, latent=True) == whole.evaluate((x, y) for x, _, y in kept)
    assert cut.classify(kept[0][1], latent=True) == whole.classify(kept[0][0])


def test_slices_batches_and_await() -> None:
    graph = compiled("mobilenet", 0, "all")[1].graph
    model = compile_graph(graph, "last:2", BATCH)
    whole, cut = tinytrain.Trainer(model), tinytrain.Trainer(model)
    whole.momentum = cut.momentum = 0.5
    (a, one), (b, two), (c, three) = examples(whole, 3)
    whole.accumulate(a, one)
    whole.accumulate(b, two)
    cut.accumulate(cut.encode(a), one, latent=True)
    cut.accumulate(cut.encode(b), two, latent=True)
    whole.apply()
    cut.apply()
    z = cut.encode(c)
    *before, last = cut.slices(z, three, budget_us=1, latent=True)
    assert before and set(before) == {None} and last == whole.step(c, three)
    assert asyncio.run(cut.astep(z, three, latent=True)) == whole.step(c, three)
    assert np.array_equal(cut.state, whole.state)


def test_targets() -> None:
    """Sigmoid and mse; what learns towards its input needs a target beside a latent."""
    for kind, loss, wanted in (
        ("mobilenet", "sigmoid", [1, 0, 0, 1, 0, 1]),
        ("keywords", "mse", np.array([9, -9, 100, -128], np.int8)),
    ):
        graph = compiled(kind, 0, "all")[1].graph
        model = compile_graph(graph, "last:1", Options(loss=loss))
        whole, cut = tinytrain.Trainer(model), tinytrain.Trainer(model)
        ((x, _),) = examples(whole, 1)
        z = cut.encode(x)
        assert cut.step(z, wanted, latent=True) == whole.step(x, wanted)
        assert cut.evaluate([(z, wanted)], latent=True) == whole.evaluate([(x, wanted)])
        assert np.array_equal(cut.state, whole.state)
    with pytest.raises(DataError, match="a target is needed beside a latent"):
        cut.step(z, latent=True)


def uses(model: Compiled, of: tuple[Buffer, ...], start: int, end: int, *, step: bool) -> set[str]:
    """Names of the arena's buffers that calls start .. end - 1 touch."""
    calls = (model.program.step if step else model.program.predict)[start:end]
    touched = {b.name for c in calls for b in c.buffers() if b.region is Region.ARENA}
    return touched | {b.name for b in of}


@pytest.mark.parametrize("kind", sorted(ZOO))
@pytest.mark.parametrize("update", ["last:1", "last:2", "last:3"])
def test_nothing_else_passes_the_cut(kind: str, update: str) -> None:
    """Looked up call by call: no state is read before it, and no other buffer crosses it."""
    _, model = compiled(kind, 0, update)
    program, latent = model.program, find_latent(model.program)
    if latent is None:
        assert kind in ("branches", "perceptron") or update != "last:1"
        return
    for cut, buffer, step in (
        (latent.predict_calls, latent.predict, False),
        (latent.step_calls, latent.step, True),
    ):
        calls = program.step if step else program.predict
        before = uses(model, (program.input,), 0, cut, step=step)
        after = uses(model, () if step else (program.output,), cut, len(calls), step=step)
        assert before & after == {buffer.name}
        assert not any(b.region is Region.STATE for c in calls[:cut] for b in c.buffers())
        assert 0 < cut < len(calls)


def test_the_latest_cut_is_taken() -> None:
    """Of the head alone, the latent is the head's input."""
    _, model = compiled("mobilenet", 0, "last:1")
    latent = find_latent(model.program)
    (head,) = [n for n in model.graph.nodes if n.name == next(iter(model.scheme))]
    assert latent is not None and latent.tensor == head.inputs[0]


@pytest.mark.parametrize("update", ["all", "none"])
def test_no_latent(update: str) -> None:
    model = compiled("mobilenet", 0, update)[1]
    trainer = tinytrain.Trainer(model)
    assert trainer.latent_size == 0
    x, y = np.zeros(trainer.input_shape, np.int8), 0
    for call in (
        lambda: trainer.encode(x),
        lambda: trainer.predict(x, latent=True),
        lambda: trainer.classify(x, latent=True),
    ):
        with pytest.raises(DataError, match="there is no latent"):
            call()
    if update == "all":
        before = trainer.state.copy()
        with pytest.raises(DataError, match="there is no latent"):
            trainer.step(x, y, latent=True)
        assert np.array_equal(trainer.state, before)


def test_bad_latents() -> None:
    model = compiled("mobilenet", 0, "last:2")[1]
    trainer = tinytrain.Trainer(model)
    ((x, y),) = examples(trainer, 1)
    z = trainer.encode(x)
    out = np.zeros_like(z)
    assert trainer.encode(x, out) is out and np.array_equal(out, z)
    for wrong in (z[:-1], z.view(np.uint8), np.append(z, z[:1]), x):
        with pytest.raises(DataError, match=f"a latent is {z.size} int8"):
            trainer.step(wrong, y, latent=True)
    with pytest.raises(DataError, match="out must be"):
        trainer.encode(x, out[1:])
    with pytest.raises(DataError, match="the input must have shape"):
        trainer.step(z, y)
    slices = trainer.slices(x, y, budget_us=1)
    next(slices)
    trainer.encode(x)
    with pytest.raises(DataError, match="given up"):
        next(slices)


def test_a_tensor_that_two_layers_share_is_no_cut() -> None:
    """In a residual block two tensors are alive: the latent is what the block begins with."""
    _, model = compiled("residual", 0, "all")
    graph = model.graph
    add = next(n for n in graph.nodes if n.op == "add")
    layers = [n for n in graph.nodes if n.weight is not None]
    inside = [n for n in layers if n.output in add.inputs]
    place = max(layers.index(n) for n in inside)
    update = f"last:{len(layers) - place}"
    latent = find_latent(compile_graph(replace(graph), update).program)
    before = {n.output for n in graph.nodes[: graph.nodes.index(layers[place])]}
    assert latent is None or latent.tensor in before
