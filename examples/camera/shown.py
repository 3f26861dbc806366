"""What the camera is shown: people or none, and things; in the size that a model takes."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import cache
from importlib.metadata import distribution
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pretrained import images

Pixels = NDArray[np.uint8]
Shape = tuple[int, int, int]

PEOPLE = ("person", "background")
THINGS = {"bag": 8, "boot": 9}  # classes of Fashion-MNIST that clothes8.tflite has never seen
THINGS_EACH = 100


@cache
def load(shape: Shape) -> Mapping[str, Pixels]:
    """100 pictures of each name, [100, height, width, channels].

    person, background: scikit-image's lfw_subset, 25x25 pixels of grey. bag, boot: the first test
    images of Fashion-MNIST, 28x28.
    """
    path = distribution("scikit-image").locate_file("skimage/data/lfw_subset.npy")
    people = np.load(str(path)) * 255
    pixels, labels = images.read_fashion("t10k")
    found = {PEOPLE[0]: people[:100], PEOPLE[1]: people[100:]}
    for name, label in THINGS.items():
        found[name] = pixels[labels == label][:THINGS_EACH].astype(np.float64)
    return {name: _fit(grey, shape) for name, grey in found.items()}


def _fit(grey: NDArray[np.float64], shape: Shape) -> Pixels:
    height, width, channels = shape
    assert height == width, "square inputs only"
    pixels = np.clip(np.rint(images.enlarge(grey, height)), 0, 255).astype(np.uint8)
    return np.repeat(pixels[..., np.newaxis], channels, axis=3)


def split(
    names: tuple[str, ...], shape: Shape, shots: int, seed: int
) -> tuple[Mapping[str, Pixels], Mapping[str, Pixels]]:
    """By name: `shots` random pictures to learn from, and all others."""
    rng = np.random.default_rng(seed)
    orders = {name: rng.permutation(len(load(shape)[name])) for name in names}
    learned = {name: load(shape)[name][order[:shots]] for name, order in orders.items()}
    return learned, {name: load(shape)[name][order[shots:]] for name, order in orders.items()}
