"""A Trainer whose input are indices."""

from __future__ import annotations

from array import array
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinytrain
from support.trainers import compiled
from tinytrain.build import make_selftest
from tinytrain.codegen.example import example
from tinytrain.codegen.stubs import stub
from tinytrain.compilation import Options, compile_graph
from tinytrain.errors import DataError
from tinytrain.samples import load_data


@pytest.fixture
def trainer() -> tinytrain.Trainer:
    return tinytrain.Trainer(compiled("characters", 0, "all")[1])


@pytest.fixture
def x() -> np.ndarray:
    return compiled("characters", 0, "all")[0].noise(1)


def test_what_it_tells(trainer: tinytrain.Trainer) -> None:
    info = trainer.info()
    assert info["indices"] == trainer.indices == 7 and "pixels" not in info
    assert (trainer.input_scale, trainer.input_zero_point) == (1.0, 0)
    assert "(1, 8) indices below 7" in repr(trainer)


@pytest.mark.parametrize(
    "form",
    [
        lambda x: x,
        lambda x: x.reshape(-1).tolist(),
        lambda x: x.astype(np.int64),
        lambda x: x.astype(np.uint8),
        lambda x: x.tobytes(),
        lambda x: bytearray(x.tobytes()),
        lambda x: array("i", x.reshape(-1).tolist()),
        lambda x: memoryview(b"." + x.tobytes())[1:],
    ],
)
def test_forms_of_the_input(trainer: tinytrain.Trainer, x: np.ndarray, form: Any) -> None:
    expected = trainer.predict(x)
    np.testing.assert_array_equal(trainer.predict(form(x)), expected)
    loss = trainer.step(form(x), 1)
    trainer.reset()
    assert trainer.step(x, 1) == loss


def with_value(x: np.ndarray, value: int) -> np.ndarray:
    x = x.copy()
    x[0, 3] = value
    return x


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (lambda x: with_value(x, 7), r"has . \.\. 7, not 0 \.\. 6"),
        (lambda x: with_value(x, -1), r"has -1 \.\. ., not 0 \.\. 6"),
        (lambda x: with_value(x, -(2**31)), r"not 0 \.\. 6"),
        (lambda x: x.astype(np.float32), "must be whole numbers"),
        (lambda x: x[:, :7], r"must have shape \(1, 8\)"),
        (lambda x: x.tobytes()[:28], r"must have shape \(1, 8\)"),
    ],
)
@pytest.mark.parametrize("method", ["step", "predict", "classify", "slices", "gradients"])
def test_refused(
    trainer: tinytrain.Trainer, x: np.ndarray, method: str, bad: Any, message: str
) -> None:
    trainer.step(x, 2)
    before, rest = trainer.state.tobytes(), ((1,) if method in ("step", "slices") else ())
    rest = (1,) if method == "gradients" else rest
    with pytest.raises(DataError, match=message):
        getattr(trainer, method)(bad(x), *rest)
    assert trainer.state.tobytes() == before


def test_refused_examples(trainer: tinytrain.Trainer, x: np.ndarray) -> None:
    with pytest.raises(DataError, match="not 0"):
        trainer.evaluate([(x, 0), (with_value(x, 9), 1)])


def test_quantize_is_refused(trainer: tinytrain.Trainer) -> None:
    with pytest.raises(DataError, match="quantize: the input is indices"):
        trainer.quantize(np.zeros(8))


def test_mse_needs_a_target() -> None:
    """Though input and output have as many elements."""
    model, _ = compiled("characters", 0, "all")
    graph = model.graph()
    made = compile_graph(graph, "all", Options(loss="mse", classes=8))
    trainer = tinytrain.Trainer(made)
    with pytest.raises(DataError, match="a target is needed: the input is indices"):
        trainer.step(model.noise(), None)
    assert trainer.step(model.noise(), np.zeros(8, np.int8)) > 0
    assert "None = None" not in stub(made.graph, made.program).split("def predict")[0]
    assert "yield x, bytes(8)" in example(made.graph, made.program)


def test_latents(x: np.ndarray) -> None:
    """What frozen tables and layers make of indices; a trained table leaves nothing before it."""
    model = compiled("characters", 0, "all")[0]
    trainer = tinytrain.Trainer(model.compiled("last:1"))
    latent = trainer.encode(x)
    assert latent.dtype == np.int8 and latent.size == trainer.latent_size > 0
    expected = trainer.predict(x)
    np.testing.assert_array_equal(trainer.predict(latent, latent=True), expected)
    loss = trainer.step(latent, 1, latent=True)
    trainer.reset()
    assert trainer.step(x, 1) == loss
    with pytest.raises(DataError, match="there is no latent"):
        tinytrain.Trainer(model.compiled("all")).encode(x)


def test_examples_in_a_file(trainer: tinytrain.Trainer, tmp_path: Path) -> None:
    data = tmp_path / "x.npz"
    rng = np.random.default_rng(0)
    np.savez(data, x=rng.integers(0, 7, (9, 8)).astype(np.uint8), y=rng.integers(0, 5, 9))
    assert load_data(data, trainer)["x_train"].dtype == np.int32
    for wrong in (rng.integers(0, 8, (9, 8)) + 1, rng.random((9, 8)), np.full((9, 8), -1)):
        np.savez(data, x=wrong, y=np.zeros(9, np.int64))
        with pytest.raises(DataError, match=r"samples must be indices 0 \.\. 6"):
            load_data(data, trainer)


def test_selftest_and_example(trainer: tinytrain.Trainer) -> None:
    test = make_selftest(trainer.compiled, {})
    indices = np.frombuffer(test.x, np.int32)
    assert indices.size == 8 and 0 <= indices.min() < indices.max() < 7
    text = example(trainer.compiled.graph, trainer.compiled.program)
    assert 'array.array("i", [0] * 8)' in text
    compile(text, "main.py", "exec")
    compile(stub(trainer.compiled.graph, trainer.compiled.program), "tinytrain.pyi", "exec")
