"""The prepared calls: the same bits as the compiled C, from the beginning and from what is kept."""

from __future__ import annotations

import numpy as np
import pytest

import tinytrain
from support.trainers import compiled
from support.training import examples_of_classes
from tinytrain.compilation import Options, compile_graph
from tinytrain.sim.goal import goal_of
from tinytrain.sim.player import Player

RATES = (0.02, 0.0, 3.0, 0.007)


@pytest.mark.parametrize(
    ("kind", "update"), [("residual", "all"), ("mobilenet", "last:2"), ("branches", "bias:3")]
)
def test_bits_of_the_compiled_model(kind: str, update: str) -> None:
    model, made = compiled(kind, 0, update)
    trainer, player = tinytrain.Trainer(made), Player(made.program, made.arena)
    xs, ys = examples_of_classes(model, made.program.classes, 8)
    for _ in range(2):
        player.reset()
        trainer.reset()
        kept = [player.prepare(x, training=True) for x in xs]
        tests = [player.prepare(x, training=False) for x in xs]
        for i in range(24):
            trainer.lr = RATES[i % len(RATES)]
            player.set_rate(trainer.lr)
            x, label = xs[i % 8], int(ys[i % 8])
            loss = player.step(kept[i % 8], goal_of(made.graph, made.program, x.reshape(-1), label))
            assert trainer.step(x, label) == pytest.approx(loss / 2**20, rel=2**-23)
        np.testing.assert_array_equal(player.state, trainer.state)
        for x, test in zip(xs, tests, strict=True):
            np.testing.assert_array_equal(player.predict(test), trainer.predict(x).reshape(-1))


def test_targets() -> None:
    """A loss that takes a target for each output, or none: the input itself."""
    model, _ = compiled("autoencoder", 0, "last:2")
    made = compile_graph(model.graph(), "last:2", Options(loss="mse"))
    trainer, player = tinytrain.Trainer(made), Player(made.program, made.arena)
    player.set_rate(trainer.lr)
    rng = np.random.default_rng(0)
    shape = made.graph.output.shape
    for x in model.noise(0, 6):
        target = rng.integers(-128, 128, shape).astype(np.int8)
        for y in (target, None):
            flat = x.reshape(-1)
            goal = goal_of(made.graph, made.program, flat, y)
            player.step(player.prepare(x, training=True), goal)
            trainer.step(x, y)
    np.testing.assert_array_equal(player.state, trainer.state)


def test_a_model_that_only_predicts() -> None:
    model, made = compiled("lenet", 0, "none")
    player, x = Player(made.program, made.arena), model.noise(1)
    expected = tinytrain.Trainer(made).predict(x).reshape(-1)
    np.testing.assert_array_equal(player.predict(player.prepare(x, training=False)), expected)
