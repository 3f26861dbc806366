"""What a search works on: a model, labelled examples, and how fine-tuning is simulated."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tinytrain.compilation import Options
from tinytrain.errors import DataError
from tinytrain.ir.graph import Graph
from tinytrain.ir.loss import Loss
from tinytrain.resources import c_kernels_dir
from tinytrain.sim.interpreter import Input

DECAY = ((0.6, 0.3), (0.85, 0.1))
"""Share of all steps after which the learning rate is multiplied, and by what."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How fine-tuning is simulated.

    rates: learning rates, each of which is tried; the best one counts. epochs: how often each
    training example is shown. validation: share of the examples that is kept for measuring.
    seed: decides splits and orders.
    """

    rates: tuple[float, ...] = (0.01, 0.03, 0.1)
    epochs: int = 3
    validation: float = 0.25
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be simulated."""
        if not self.rates or not all(math.isfinite(r) and r > 0 for r in self.rates):
            raise DataError(f"learning rates must be finite and above 0, not {self.rates}")
        if self.epochs < 1 or not 0 < self.validation < 1:
            raise DataError("expected at least 1 epoch, and a share of validation between 0 and 1")


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """One way to divide the examples: rows to train on in the order of the steps, and to test."""

    steps: npt.NDArray[np.intp]
    tested: npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    """graph: as trained, see `compilation.trained_graph`. x: int8 [n, input size], or indices.
    y: labels [n] (softmax), 0 or 1 [n, classes] (sigmoid), int8 [n, output size] (mse)."""

    graph: Graph
    options: Options
    x: Input
    y: npt.NDArray[Any]
    settings: Settings

    @property
    def folds(self) -> int:
        """How many splits test each example once."""
        return max(2, round(1 / self.settings.validation))

    def split(self, number: int) -> Split:
        """The split of that number; each class is divided alike.

        Numbers 0 .. folds - 1 test each example once, so do the next ones in another division.
        """
        settings = self.settings
        division, fold = divmod(number, self.folds)
        rng = np.random.default_rng([settings.seed, division])
        groups: list[npt.NDArray[np.intp]] = [np.arange(len(self.x))]
        if self.options.loss == Loss.SOFTMAX.value:
            groups = [np.flatnonzero(self.y == label) for label in np.unique(self.y)]
        order = np.concatenate([rng.permutation(group) for group in groups])
        chosen = np.arange(len(order)) % self.folds == fold
        train, test = order[~chosen], order[chosen]
        if not len(train) or not len(test):
            raise DataError(
                f"{self.graph.name}: {len(self.x)} examples, of which {len(test)} would be left "
                f"to measure accuracy and {len(train)} to learn from; give more of each class"
            )
        rng = np.random.default_rng([settings.seed, number, 1])
        steps = np.concatenate([rng.permutation(train) for _ in range(settings.epochs)])
        return Split(steps, np.sort(test))

    def key(self) -> str:
        """A hash of all that the result of a simulation depends on, but scheme and split."""
        state = hashlib.sha256()
        for part in self._parts():
            state.update(len(part).to_bytes(8, "little") + part)
        return state.hexdigest()

    def _parts(self) -> Iterator[bytes]:
        graph = self.graph
        yield repr((graph.name, graph.nodes, graph.input, graph.output, DECAY)).encode()
        for name, tensor in sorted(graph.tensors.items()):
            yield repr((name, tensor.shape, tensor.dtype, tensor.quant)).encode()
            yield b"" if tensor.data is None else np.ascontiguousarray(tensor.data).tobytes()
        yield repr((self.options, self.settings)).encode()
        for array in (self.x, self.y):
            yield f"{array.dtype.str}{array.shape}".encode()
            yield np.ascontiguousarray(array).tobytes()
        for source in sorted(c_kernels_dir().glob("*/*.[ch]")):
            yield source.read_bytes()


def rate_factors(steps: int) -> npt.NDArray[np.float64]:
    """What the learning rate is multiplied by at each step."""
    done = np.arange(steps) / steps
    factors = np.ones(steps)
    for share, factor in DECAY:
        factors[done >= share] = factor
    return factors
