"""The compiled C and the interpreter of kernel calls: the same bits after 50 steps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import tinytrain
from support.shared import golden, path_of
from support.trainers import compiled
from support.training import examples_of_classes
from tinytrain.compilation import Compiled, compile_model
from tinytrain.ir.program import Region
from tinytrain.sim.interpreter import Interpreter

RATES = (0.02, 0.0, 1e-4, 3.0, 0.007)


def check(made: Compiled, xs: np.ndarray, ys: np.ndarray) -> None:
    trainer = tinytrain.Trainer(made)
    machine = Interpreter(made.program, made.arena)
    for i, (x, y) in enumerate(zip(xs, ys, strict=True)):
        trainer.lr = RATES[i % len(RATES)] if i < 45 else 0.01
        loss = machine.step(x, int(y), trainer.lr)
        assert trainer.step(x, int(y)) == pytest.approx(loss / 2**20, rel=2**-23)
    np.testing.assert_array_equal(trainer.state, machine.memory[Region.STATE])
    for x in xs[:3]:
        np.testing.assert_array_equal(trainer.predict(x).reshape(-1), machine.predict(x))
    fields = [k for k in trainer.parameters() if not k.endswith("fraction")]
    initial = Interpreter(made.program, made.arena).memory[Region.STATE]
    assert fields and not np.array_equal(trainer.state[4:], initial[4:])


@pytest.mark.parametrize(
    ("kind", "update"),
    [
        ("lenet", "all"),
        ("residual", "all"),
        ("branches", "bias:3"),
        ("mobilenet", "all"),
        ("autoencoder", "last:2"),
        ("tangle", "all"),
    ],
)
def test_small_models(kind: str, update: str) -> None:
    model, made = compiled(kind, 0, update)
    check(made, *examples_of_classes(model, made.program.classes, 50))


def test_fractions_and_biases(tmp_path: Path) -> None:
    """Some channels of two layers, biases of others, frozen ones between them."""
    model, _ = compiled("keywords", 0, "all")
    path = tmp_path / "scheme.toml"
    path.write_text("biases = 2\n[layer.conv2d_1]\nweight = 0.5\n[layer.'op:0']\nweight = 1\n")
    made = model.compiled(str(path))
    assert {k: (u.channels, u.bias) for k, u in made.scheme.items()} == {
        "depthwise_conv2d_1": (1, False),
        "conv2d_1": (2, False),
        "dense_1": (0, True),
        "dense_2": (0, True),
    }
    check(made, *examples_of_classes(model, made.program.classes, 50))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mlperf_ic_resnet8_int8", "mlperf_kws_dscnn_int8"])
def test_real_models(name: str) -> None:
    made = compile_model(path_of(name), "all")
    x = golden(name)[0][0]
    rng = np.random.default_rng(0)
    noise = rng.integers(-20, 20, (50, *x.shape))
    xs = np.clip(x.astype(np.int64) + noise, -128, 127).astype(np.int8)
    check(made, xs, rng.integers(0, made.program.classes, 50))
