"""Grey images as the networks of the examples take them: 28x28 pixels, stored as pixel - 128."""

from __future__ import annotations

import gzip
import subprocess
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

PACKAGE = "dataset-fashion-mnist"
IMAGE_SIZE = 28
# A network reads pixel / 255, from 0.0 (black) to 1.0: stored int8 value = pixel - 128.
INPUT_SCALE = 1 / 255
INPUT_ZERO_POINT = -128

_DIGIT_MAX, _DIGIT_SIZE = 16, 24

Pixels = NDArray[np.uint8]


def quantize_pixels(pixels: Pixels) -> NDArray[np.int8]:
    """Pixels 0 to 255, [n, 28, 28], as a network's int8 input, [n, 28, 28, 1]."""
    return (pixels.astype(np.int16) + INPUT_ZERO_POINT).astype(np.int8)[..., np.newaxis]


def enlarge(images: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """[n, h, w] to [n, size, size] by bilinear interpolation between pixel centres."""
    rows = _interpolation(images.shape[1], size)
    columns = _interpolation(images.shape[2], size)
    enlarged: NDArray[np.float64] = rows @ images @ columns.T
    return enlarged


def _interpolation(source: int, target: int) -> NDArray[np.float64]:
    """The [target, source] matrix of bilinear weights; each row sums to 1."""
    centres = (np.arange(target) + 0.5) * source / target - 0.5
    centres = np.clip(centres, 0, source - 1)
    distance = np.abs(centres[:, np.newaxis] - np.arange(source))
    weights: NDArray[np.float64] = np.clip(1 - distance, 0, None)
    return weights


def find_fashion() -> Path:
    """The folder of the files that Debian's package of Fashion-MNIST installs."""
    listing = subprocess.run(["dpkg", "-L", PACKAGE], capture_output=True, text=True, check=False)
    for line in listing.stdout.splitlines():
        if line.endswith("train-images-idx3-ubyte.gz"):
            return Path(line).parent
    raise SystemExit(f"Fashion-MNIST not found: apt-get install {PACKAGE}, or give its folder")


@cache
def read_fashion(split: str, folder: Path | None = None) -> tuple[Pixels, Pixels]:
    """Pixels [n, 28, 28] and labels [n] from the IDX files of `split`, "train" or "t10k"."""
    folder = folder or find_fashion()
    images = gzip.decompress((folder / f"{split}-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((folder / f"{split}-labels-idx1-ubyte.gz").read_bytes())
    pixels = np.frombuffer(images, np.uint8, offset=16).reshape(-1, 28, 28)
    return pixels, np.frombuffer(labels, np.uint8, offset=8)


@cache
def read_digits() -> tuple[Pixels, Pixels]:
    """Pixels [n, 28, 28] and labels [n] of the 1,797 digits that scikit-learn bundles.

    They are enlarged from 8x8 pixels to the size that clothes have in Fashion-MNIST, so that a
    network that has only ever seen clothes finds strokes it can work with.
    """
    source = load_digits()
    pixels = enlarge(source.images, _DIGIT_SIZE) * (255 / _DIGIT_MAX)
    margin = (IMAGE_SIZE - _DIGIT_SIZE) // 2
    framed = np.pad(pixels, ((0, 0), (margin, margin), (margin, margin)))
    return np.rint(framed).astype(np.uint8), source.target.astype(np.uint8)
