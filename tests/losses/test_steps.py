"""Every loss from end to end: value and gradients against float64, refusals, training."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import tinytrain
from tinytrain.compilation import Options, compile_graph
from tinytrain.errors import BuildError, DataError, UpdateError
from tinytrain.ir import Graph
from tinytrain.ir.ops import Hwc
from tinytrain.sim.trainer import Trainer

from .graphs import chain, dense, oracle

BESIDE = Path(__file__).resolve().parents[2].parent / "shared"
MODELS = Path(os.environ.get("TINYTRAIN_SHARED", BESIDE)) / "models"

GRAPHS = {
    "vector": dense(12, 20, 7),
    "softmax behind": dense(12, 20, 7, softmax=True),
    "no bias": dense(12, 20, 7, bias=False),
    "one output": dense(6, 16, 1),
    "map": chain([Hwc(6, 6, 3), Hwc(6, 6, 8), Hwc(6, 6, 3)], kernel=3),
}


REFUSED = (("map", "softmax"), ("one output", "softmax"), ("softmax behind", "mse"))


def make(graph: Graph, loss: str, update: str = "all", **how: Any) -> Trainer:
    return Trainer(compile_graph(graph, update, Options(loss, **how)))


def noise(trainer: Trainer, rng: np.random.Generator) -> NDArray[np.int8]:
    return rng.integers(-128, 128, trainer.input_shape).astype(np.int8)


def wanted(trainer: Trainer, rng: np.random.Generator) -> Any:
    if trainer.loss == "softmax":
        return int(rng.integers(trainer.classes))
    low, high = (0, 2) if trainer.loss == "sigmoid" else (-128, 128)
    return rng.integers(low, high, trainer.output_shape).astype(np.int8)


@pytest.mark.parametrize("loss", ["softmax", "sigmoid", "mse"])
@pytest.mark.parametrize("name", GRAPHS)
def test_loss_and_gradients_are_those_of_float64(name: str, loss: str) -> None:
    if (name, loss) in REFUSED:
        pytest.skip("refused, see below")
    trainer = make(GRAPHS[name], loss)
    rng = np.random.default_rng(5)
    trainer.lr = 0.02
    for _ in range(6):
        x, y = noise(trainer, rng), wanted(trainer, rng)
        ours, parameters = trainer.gradients(x, y), dict(trainer.parameters())
        value, theirs = oracle(trainer.compiled, x, y, parameters)
        assert trainer.step(x, y) == pytest.approx(value, rel=0.01, abs=3e-5)
        assert ours.keys() <= theirs.keys()
        for key, d in ours.items():
            a, b = d.reshape(-1), theirs[key].reshape(-1)
            size = np.linalg.norm(a) * np.linalg.norm(b)
            assert size == 0 or a @ b / size >= 0.9999, key


def test_towards_the_input() -> None:
    trainer = make(dense(12, 5, 12), "mse")
    rng = np.random.default_rng(1)
    x = noise(trainer, rng)
    value, theirs = oracle(trainer.compiled, x, None, dict(trainer.parameters()))
    ours = trainer.gradients(x)
    for key, d in ours.items():
        a, b = d.reshape(-1), theirs[key].reshape(-1)
        assert a @ b >= 0.9999 * np.linalg.norm(a) * np.linalg.norm(b)
    assert trainer.step(x) == pytest.approx(value, rel=0.01)
    trainer.lr = 0.01
    losses = [trainer.step(x, None) for _ in range(300)]
    assert losses[-1] < 0.1 * losses[0]


def test_input_overwritten_before_the_loss_does_not_matter() -> None:
    """The target is the caller's x, not the arena's."""
    trainer = make(dense(12, 5, 12), "mse", "last:1")
    x = noise(trainer, np.random.default_rng(2))
    expected = oracle(trainer.compiled, x, None, None)[0]
    trainer.lr = 0
    assert trainer.step(x) == pytest.approx(expected, rel=0.01)
    assert trainer.step(x.reshape(-1)[::-1][::-1]) == pytest.approx(expected, rel=0.01)


def test_sigmoid_learns_several_labels_at_once() -> None:
    rng = np.random.default_rng(0)
    trainer = make(dense(16, 24, 4), "sigmoid")
    trainer.lr = 0.1
    xs = rng.integers(-100, 100, (400, 16)).astype(np.int8)
    ys = np.stack([xs[:, i] > xs[:, i + 4] for i in range(4)], 1)
    for _ in range(4):
        losses = [trainer.step(x, y) for x, y in zip(xs, ys, strict=True)]
    assert np.mean(losses) < 0.25
    outputs = np.stack([trainer.predict(x)[0] for x in xs])
    assert np.mean((outputs > trainer.output_zero_point) == ys) > 0.93


def test_mse_learns_a_function() -> None:
    rng = np.random.default_rng(0)
    trainer = make(dense(2, 24, 1), "mse")
    trainer.lr = 0.01
    xs = rng.integers(-128, 128, (300, 2)).astype(np.int8)
    real = (xs.astype(float) + 11) * 0.05
    ys = trainer.quantize_target(np.abs(real[:, :1]) / 3 + real[:, 1:] / 4)
    for _ in range(8):
        losses = [trainer.step(x, y) for x, y in zip(xs, ys, strict=True)]
    assert np.mean(losses[-100:]) < 0.02


def test_ad01_learns_towards_its_input() -> None:
    path = MODELS / "mlperf_ad01_int8.tflite"
    if not path.exists():
        pytest.skip("shared/models is not there")
    trainer = tinytrain.simulate(path, "last:3", loss="mse", lr=0.0005)
    rng = np.random.default_rng(3)
    ramp = np.linspace(-60, 60, 640)
    xs = [np.clip(ramp + rng.normal(0, 10, 640), -128, 127).astype(np.int8) for _ in range(8)]
    first = [trainer.step(x) for x in xs]
    for _ in range(10):
        last = [trainer.step(x) for x in xs]
    assert np.mean(last) < 0.5 * np.mean(first)
    # what `step` says is what the int8 output has, but for its rounding
    trainer.lr = 0
    real = (xs[0].astype(float) - trainer.input_zero_point) * trainer.input_scale
    error = np.mean((trainer.dequantize(trainer.predict(xs[0])) - real) ** 2)
    assert trainer.step(xs[0]) == pytest.approx(error, rel=0.01)


@pytest.mark.parametrize(
    ("loss", "y", "message"),
    [
        ("softmax", None, "label must be a whole number, not NoneType"),
        ("softmax", 7, "label 7: expected 0 .. 6"),
        ("sigmoid", None, "target must be 7 times 0 or 1, not object"),
        ("sigmoid", 3, r"shape \(1, 7\), not \(\)"),
        ("sigmoid", [0, 1, 2, 0, 0, 0, 0], "must be 0 or 1, not 0 .. 2"),
        ("sigmoid", [0.5] * 7, "7 times 0 or 1, not float64"),
        ("mse", None, r"a target is needed: the model's output has another size \(\(1, 7\)\)"),
        (
            "mse",
            [0.5] * 7,
            r"must be int8, not float64; real values go through quantize_target\(\)",
        ),
        ("mse", np.zeros(8, np.int8), r"must have shape \(1, 7\), not \(8,\)"),
    ],
)
def test_wrong_targets_are_refused_and_change_nothing(loss: str, y: Any, message: str) -> None:
    trainer = make(GRAPHS["vector"], loss)
    before = trainer.state.copy()
    with pytest.raises(DataError, match=message):
        trainer.step(np.zeros(12, np.int8), y)
    np.testing.assert_array_equal(trainer.state, before)


@pytest.mark.parametrize(
    ("name", "loss", "message"),
    [
        ("map", "softmax", "no vector of 2 to 4096 class scores.*--loss sigmoid or mse"),
        ("softmax behind", "mse", "is a softmax's.*--loss softmax"),
        ("vector", "hinge", "unknown loss 'hinge': expected one of softmax, sigmoid, mse"),
    ],
)
def test_losses_that_do_not_fit_are_refused(name: str, loss: str, message: str) -> None:
    with pytest.raises(UpdateError, match=message):
        compile_graph(GRAPHS[name], "all", Options(loss))


def test_sums_far_beyond_the_output_are_refused() -> None:
    from dataclasses import replace

    from tinytrain.ir import Quantization

    graph = dense(4096, 4)
    y = replace(graph.tensors["y0"], quant=Quantization((1e-6,), 0))
    with pytest.raises(BuildError, match="too far beyond the range of int8 at scale 1e-06"):
        compile_graph(
            replace(graph, tensors=dict(graph.tensors) | {"y0": y}), "all", Options("mse")
        )


def test_sigmoid_drops_the_softmax() -> None:
    trainer = make(GRAPHS["softmax behind"], "sigmoid")
    assert [n.op for n in trainer.compiled.graph.nodes] == ["conv2d"] * 2
    assert (trainer.output_scale, trainer.output_zero_point, trainer.classes) == (0.03, 9, 7)


def test_predicting_only_needs_no_loss() -> None:
    trainer = make(GRAPHS["map"], "softmax", "none")
    assert (trainer.loss, trainer.classes) == ("none", 0)
    with pytest.raises(DataError, match="only predicts"):
        trainer.step(np.zeros(108, np.int8), 0)
