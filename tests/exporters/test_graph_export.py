"""Trained graphs as .tflite files: tflite-micro gives what the Trainer gives, bit for bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import tinytrain
from support import shared, tflm
from support.trainers import compiled
from support.zoo import ZOO
from tinytrain.compilation import Options, compile_model
from tinytrain.exporters.graph import graph_to_tflite
from tinytrain.exporters.trained import with_state
from tinytrain.importers import load

DIGITS = Path(__file__).parents[2] / "examples" / "digits" / "fashion.tflite"


def exported(trainer: tinytrain.Trainer) -> bytes:
    graph, program = trainer.compiled.graph, trainer.compiled.program
    return graph_to_tflite(with_state(graph, program.state, trainer.state.tobytes()))


def same(trainer: tinytrain.Trainer, inputs: np.ndarray) -> None:
    ours = np.array([trainer.predict(x) for x in inputs])
    theirs = tflm.outputs(exported(trainer), inputs)
    assert theirs.shape == ours.shape
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("kind", ZOO)
def test_trained_models_of_every_kind(kind: str) -> None:
    model, made = compiled(kind, 1, "all")
    trainer = tinytrain.Trainer(made)
    inputs = model.noise(5, 4)
    before = exported(trainer)
    if made.program.step:
        trainer.lr = 0.5
        for i in range(20):
            goal = i % trainer.classes
            trainer.step(inputs[i % 4], goal)
        assert exported(trainer) != before
    same(trainer, inputs)


@pytest.mark.parametrize("name", shared.NAMES)
def test_real_models(name: str) -> None:
    graph = load(shared.path_of(name))
    x, expected = shared.golden(name)
    inputs = shared.to_int8(graph, x[:2]).reshape(-1, *graph.input.shape)
    found = tflm.outputs(graph_to_tflite(graph), inputs)
    ours = shared.from_int8(graph, found, expected).reshape(expected[:2].shape)
    np.testing.assert_array_equal(ours, expected[:2])


@pytest.mark.parametrize("options", [Options(classes=4), Options(loss="sigmoid"), Options()])
def test_other_heads(options: Options, tmp_path: Path) -> None:
    trainer = tinytrain.Trainer(compile_model(DIGITS, "last:2", options))
    inputs = np.random.default_rng(0).integers(-128, 128, (3, 1, 28, 28, 1)).astype(np.int8)
    for i in range(6):
        y = i % 4 if options.loss == "softmax" else np.arange(10, dtype=np.int8) % 2
        trainer.step(inputs[i % 3], y)
    same(trainer, inputs)
    path = tmp_path / "again.tflite"
    path.write_bytes(exported(trainer))
    again = tinytrain.simulate(path, update="none")
    for x in inputs:
        np.testing.assert_array_equal(again.predict(x), trainer.predict(x))


def test_layers_trained_in_part(tmp_path: Path) -> None:
    scheme = tmp_path / "part.toml"
    scheme.write_text("biases = 2\n[layer.conv2d_3]\nweight = 0.5\nbias = true\n")
    trainer = tinytrain.Trainer(compile_model(DIGITS, str(scheme)))
    inputs = np.random.default_rng(1).integers(-128, 128, (3, 1, 28, 28, 1)).astype(np.int8)
    before = exported(trainer)
    for i in range(6):
        trainer.step(inputs[i % 3], i)
    assert exported(trainer) != before
    same(trainer, inputs)
