"""A model of two layers, and examples that it can learn."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from support.nets import Model, Net
from support.training import examples_of_classes
from tinytrain.compilation import Options, trained_graph
from tinytrain.search.study import Settings, Study

CLASSES = 3
BUDGET = 1500  #: bytes of RAM: hold some of the schemes
SETTINGS = Settings(rates=(0.03, 0.1), epochs=2)


@cache
def tiny_model() -> Model:
    net = Net(3)
    x = net.input(1, 5, 5, 4)
    y = net.conv(x, 6, stride=(2, 2), activation="RELU")
    return net.model(x, net.dense(net.flatten(y), CLASSES, scale=0.05, gain=1.5 / y.rms))


def examples(n: int = 48, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    return examples_of_classes(tiny_model(), CLASSES, n, seed, noise=70.0)


def tiny_study(settings: Settings = SETTINGS, options: Options | None = None) -> Study:
    x, y = examples()
    options = options or Options()
    graph = trained_graph(tiny_model().graph(), options)
    return Study(graph, options, x.reshape(len(x), -1), y, settings)


def write_files(folder: Path) -> tuple[Path, Path]:
    """The model and its examples as files."""
    model, data = folder / "tiny.tflite", folder / "data.npz"
    model.write_bytes(tiny_model().data)
    x, y = examples()
    np.savez(data, x_train=x, y_train=y)
    return model, data
