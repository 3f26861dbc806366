"""The transfer tasks: which model, what is learned, what is tested.

Everything random follows from the seed alone, so that every learner sees the same examples in the
same order.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial, reduce
from importlib.metadata import distribution
from operator import add
from pathlib import Path

import numpy as np

from accuracy import models, speech
from accuracy.episode import Episode, Examples, Int8, Task, repeat, shifted
from accuracy.heads import with_classes
from pretrained import images
from tinytrain.importers import load
from tinytrain.ir.graph import Graph

DIGIT_SHOTS = 400
NEW_SHOTS, REHEARSED = 20, 5  # per class
CLOTHES_TESTED = 200  # per class
LIGHT = 40  # of 256 levels of grey
VOICES, UTTERANCES, UTTERANCES_TESTED = 4, 3, 9  # utterances per voice and word


@cache
def _graph(path: Path) -> Graph:
    return load(path)


@cache
def _digits() -> Examples:
    pixels, labels = images.read_digits()
    return Examples(images.quantize_pixels(pixels), labels.astype(np.int64))


def digits(seed: int) -> Episode:
    """Clothes to digits: the old head's ten outputs get another meaning."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(_digits()))
    shots, test = _digits()[order[:DIGIT_SHOTS]], _digits()[order[DIGIT_SHOTS:]]
    return Episode(_graph(models.FASHION_MODEL), shots, repeat(shots, 3, rng), {"test": test})


@cache
def _clothes(split: str) -> Examples:
    pixels, labels = images.read_fashion(split)
    return Examples(images.quantize_pixels(pixels), labels.astype(np.int64))


def clothes(seed: int, *, rehearsed: int) -> Episode:
    """Two classes join eight known ones; `rehearsed` examples of each known one are at hand."""
    rng = np.random.default_rng(seed)
    few, _ = _clothes("train").per_class(NEW_SHOTS, rng)
    new = few.y >= models.KNOWN_CLOTHES
    old = np.isin(np.arange(len(few)) % NEW_SHOTS, np.arange(rehearsed)) & ~new
    shots = few[np.flatnonzero(new | old)]
    test, _ = _clothes("t10k").per_class(CLOTHES_TESTED, np.random.default_rng(0))
    tests = {
        "all ten classes": test,
        "the two new": test[np.flatnonzero(test.y >= models.KNOWN_CLOTHES)],
        "the eight old": test[np.flatnonzero(test.y < models.KNOWN_CLOTHES)],
    }
    graph = with_classes(_graph(models.CLOTHES_MODEL), 10, keep=models.KNOWN_CLOTHES)
    return Episode(graph, shots, repeat(shots, 4, rng), tests)


@cache
def pictures() -> Examples:
    """scikit-image's lfw_subset: 100 faces (class 1), then 100 patches without one, 25x25."""
    path = distribution("scikit-image").locate_file("skimage/data/lfw_subset.npy")
    pixels = np.rint(images.enlarge(np.load(str(path)), images.IMAGE_SIZE) * 255)
    x = images.quantize_pixels(np.clip(pixels, 0, 255).astype(np.uint8))
    return Examples(x, np.repeat([1, 0], 100))


def _other_view(x: Int8, rng: np.random.Generator) -> Int8:
    """Mirrored or not, moved by up to 2 pixels, in another light."""
    if rng.integers(2):
        x = x[:, ::-1]
    moved = shifted(x, *rng.integers(-2, 3, 2)).astype(np.int16)
    return np.clip(moved + rng.integers(-LIGHT, LIGHT + 1), -128, 127).astype(np.int8)


def faces(seed: int, *, shots: int, epochs: int) -> Episode:
    """Faces or not, from a few of each; a new head with two outputs."""
    rng = np.random.default_rng(seed)
    chosen, test = pictures().per_class(shots, rng)
    graph = with_classes(_graph(models.FASHION_MODEL), 2)
    return Episode(graph, chosen, repeat(chosen, epochs, rng, _other_view), {"test": test})


def _shift_in_time(x: Int8, rng: np.random.Generator) -> Int8:
    return shifted(x, int(rng.integers(-2, 3)), 0)


@cache
def _unseen() -> list[Examples]:
    return models.spoken("unseen", speech.UNSEEN, UTTERANCES + UTTERANCES_TESTED, 1)


def keywords(seed: int) -> Episode:
    """Some voices that the network has not heard say each word a few times."""
    rng = np.random.default_rng(seed)
    drawn = rng.choice(len(_unseen()), VOICES, replace=False)
    voices = [_unseen()[i].per_class(UTTERANCES, rng) for i in drawn]
    shots, test = (reduce(add, parts) for parts in zip(*voices, strict=True))
    stream = repeat(shots, 5, rng, _shift_in_time)
    return Episode(_graph(models.KEYWORDS_MODEL), shots, stream, {"test": test})


def _rates(everything: float, last: float, bias: float, head: float) -> dict[str, float]:
    return {"all": everything, "last": last, "bias": bias, "head": head}


def _faces(shots: int, epochs: int, rates: dict[str, float]) -> Task:
    make = partial(faces, shots=shots, epochs=epochs)
    return Task(f"faces{shots}", f"faces, {shots} shots", make, rates, "last:5")


# Without rehearsal the best rate would be the one that learns least: it takes those with it.
_CLOTHES = _rates(0.003, 0.01, 0.003, 0.01)
TASKS = (
    Task("digits", "clothes → digits", digits, _rates(0.01, 0.03, 0.03, 0.1), "last:5"),
    Task("clothes", "8 → 10 clothes", partial(clothes, rehearsed=0), _CLOTHES, "last:5", False),
    Task(
        "rehearsal",
        "8 → 10 clothes, rehearsed",
        partial(clothes, rehearsed=REHEARSED),
        _CLOTHES,
        "last:5",
    ),
    _faces(5, 40, _rates(0.003, 0.01, 0.01, 0.03)),
    _faces(10, 40, _rates(0.003, 0.03, 0.01, 0.03)),
    _faces(40, 10, _rates(0.003, 0.03, 0.01, 0.1)),
    Task("keywords", "keywords, new voices", keywords, _rates(0.01, 0.03, 0.03, 0.1), "last:5"),
)


def prepare(tasks: Sequence[Task]) -> None:
    """Render speech once, before several processes ask for it."""
    if any(t.make is keywords for t in tasks):
        _unseen()
