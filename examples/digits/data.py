"""Handwritten digits for the demo, in the form that `fashion.tflite` takes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pretrained.images import quantize_pixels, read_digits


class Digits(NamedTuple):
    """Images int8 [n, 28, 28, 1] in the network's input quantization; labels uint8 [n], 0 to 9."""

    x_train: NDArray[np.int8]
    y_train: NDArray[np.uint8]
    x_test: NDArray[np.int8]
    y_test: NDArray[np.uint8]


def load(train: int = 400, seed: int = 0) -> Digits:
    """`train` digits in random order to learn from, and all others to test on.

    The split depends on `seed` alone. Classes are not balanced: a user writes what comes to mind.
    """
    pixels, y = read_digits()
    if not 0 < train < len(pixels):
        raise ValueError(f"train is {train}, expected 1 to {len(pixels) - 1}")
    x = quantize_pixels(pixels)
    order = np.random.default_rng(seed).permutation(len(x))
    first, rest = order[:train], order[train:]
    return Digits(x[first], y[first], x[rest], y[rest])


def write_npz(path: Path, train: int = 400, seed: int = 0) -> None:
    """Writes the arrays of `load` under their names, as `tinytrain sim --data` reads them."""
    np.savez_compressed(path, **load(train, seed)._asdict())
