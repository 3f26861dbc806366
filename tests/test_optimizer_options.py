"""Build options of the optimizer: what a Trainer then takes, what it refuses, what it costs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tinytrain import Optimizer, Trainer, simulate
from tinytrain.build import build, open_build
from tinytrain.compilation import Options, compile_model
from tinytrain.errors import DataError, UpdateError

MODEL = Path(__file__).parents[1] / "examples" / "digits" / "fashion.tflite"
X = (np.arange(784) * 37 % 251 - 125).astype(np.int8)


def test_plain_builds_refuse_what_they_lack() -> None:
    trainer = simulate(MODEL, "last:1")
    for option, act in {
        "--momentum": lambda: setattr(trainer, "momentum", 0.9),
        "--weight-decay": lambda: setattr(trainer, "weight_decay", 0.1),
        "--batch": lambda: trainer.accumulate(X, 1),
    }.items():
        with pytest.raises(DataError, match=f"build with {option}"):
            act()
    assert (trainer.momentum, trainer.weight_decay) == (0, 0)


@pytest.mark.parametrize("value", [1.0, -0.1, float("nan"), float("inf"), True, "0.9"])
def test_momentum_is_checked(value: float) -> None:
    trainer = simulate(MODEL, "last:1", optimizer=Optimizer(momentum=True))
    trainer.momentum = 0.5
    with pytest.raises(DataError, match="momentum must be"):
        trainer.momentum = value
    assert trainer.momentum == 0.5


def test_apply_without_examples_does_nothing_and_reset_forgets_them() -> None:
    trainer = simulate(MODEL, "last:1", optimizer=Optimizer(momentum=True, batch=True))
    before = trainer.state.tobytes()
    trainer.apply()
    assert trainer.state.tobytes() == before
    trainer.accumulate(X, 1)
    weights = trainer.parameters()
    assert any(v.any() for k, v in weights.items() if k.endswith("_sum"))
    trainer.reset()
    assert trainer.state.tobytes() == before


def test_a_batch_of_one_is_a_step() -> None:
    one = simulate(MODEL, "last:2", optimizer=Optimizer(batch=True))
    other = simulate(MODEL, "last:2", optimizer=Optimizer(batch=True))
    assert one.step(X, 3) == other.accumulate(X, 3)
    other.apply()
    for name, array in one.parameters().items():
        if name.endswith(("/weight", "/bias")):
            assert np.abs(array.astype(int) - other.parameters()[name]).max() <= 1


def test_costs_are_reported_and_builds_open_again(tmp_path: Path) -> None:
    optimizer = Optimizer(momentum=True, batch=True, master=12)
    built = build(MODEL, "unix", "last:1", tmp_path / "b", Options(optimizer=optimizer))
    values, trainer = built.report.values, Trainer(built.compiled)
    planes = {name: a.nbytes for name, a in trainer.parameters().items()}
    for figure, end in (("fraction", "_fraction"), ("velocity", "_velocity")):
        assert values[f"{figure}_bytes"] == sum(n for k, n in planes.items() if k.endswith(end))
    assert values["sum_bytes"] == 4 + sum(n for k, n in planes.items() if "_sum" in k)
    assert "(--batch)" in built.report.text()
    assert open_build(tmp_path / "b").source.hash == built.compiled.source.hash


def test_layers_have_rates_of_their_own(tmp_path: Path) -> None:
    (name,) = compile_model(MODEL, "last:1").scheme
    moved = []
    for rate in (1, 4):
        path = tmp_path / f"{rate}.toml"
        path.write_text(f"[layer.{name}]\nweight = true\nrate = {rate}\n")
        trainer = simulate(MODEL, str(path), lr=0.01)
        before = trainer.parameters()[f"{name}/weight"].astype(float)
        trainer.step(X, 3)
        fraction = trainer.parameters()[f"{name}/weight_fraction"].reshape(before.shape) / 256
        moved.append(trainer.parameters()[f"{name}/weight"] + fraction - before)
    assert np.abs(moved[0]).max() > 0
    np.testing.assert_allclose(moved[1], 4 * moved[0], atol=5 / 256)
    path.write_text(f"[layer.{name}]\nweight = true\nrate = 0\n")
    with pytest.raises(UpdateError, match="rate must be between"):
        simulate(MODEL, str(path))
