"""What a task hands to a learner: a model, a stream of examples to learn from, tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinytrain.ir.graph import Graph

Int8 = NDArray[np.int8]
Labels = NDArray[np.int64]
Augment = Callable[[Int8, np.random.Generator], Int8]

# Share of all steps after which the learning rate is multiplied.
DECAY = ((0.6, 0.3), (0.85, 0.1))


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """Inputs int8 [n, h, w, c] in the model's quantization, and their classes."""

    x: Int8
    y: Labels

    def __getitem__(self, which: NDArray[np.intp] | slice) -> Examples:
        return Examples(self.x[which], self.y[which])

    def __len__(self) -> int:
        return len(self.y)

    def __add__(self, other: Examples) -> Examples:
        return Examples(np.concatenate([self.x, other.x]), np.concatenate([self.y, other.y]))

    def per_class(self, count: int, rng: np.random.Generator) -> tuple[Examples, Examples]:
        """`count` random examples of each class, and all others."""
        order = rng.permutation(len(self))
        chosen = np.concatenate([order[self.y[order] == c][:count] for c in np.unique(self.y)])
        return self[chosen], self[np.setdiff1d(order, chosen)]


@dataclass(frozen=True, slots=True, eq=False)
class Episode:
    """One seed of a task. shots: what is learned from, once; stream: the same in the order of the
    steps, repeated and augmented; tests: by name, the first is the one that counts."""

    graph: Graph
    shots: Examples
    stream: Examples
    tests: Mapping[str, Examples]

    def steps(self, rate: float) -> Iterator[tuple[Int8, int, float]]:
        """Input, label and learning rate of every step."""
        for i, (x, y) in enumerate(zip(self.stream.x, self.stream.y, strict=True)):
            done = i / len(self.stream)
            factor = next((f for share, f in reversed(DECAY) if done >= share), 1.0)
            yield x, int(y), rate * factor


@dataclass(frozen=True, slots=True)
class Task:
    """A transfer task.

    rates: learning rate by update scheme; found with --tune on the float side, on other seeds.
    last: the scheme between the head alone and everything.
    baseline: whether logistic regression on the raw inputs is a fair comparison.
    """

    name: str
    title: str
    make: Callable[[int], Episode]
    rates: Mapping[str, float]
    last: str
    baseline: bool = True


def repeat(
    shots: Examples, epochs: int, rng: np.random.Generator, augment: Augment | None = None
) -> Examples:
    """The shots `epochs` times, each time in another order and augmented anew."""
    orders = np.concatenate([rng.permutation(len(shots)) for _ in range(epochs)])
    stream = shots[orders]
    if augment is None:
        return stream
    return Examples(np.stack([augment(x, rng) for x in stream.x]), stream.y)


def shifted(x: Int8, rows: int, columns: int) -> Int8:
    """An image [h, w, c] moved by some pixels; its border is repeated."""
    h, w = x.shape[:2]
    inside_rows = np.clip(np.arange(h) - rows, 0, h - 1)
    inside_columns = np.clip(np.arange(w) - columns, 0, w - 1)
    return x[inside_rows][:, inside_columns]
