"""Steps and gradients of the integer machine, set beside the oracle's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from oracle.autograd import Activations
from oracle.autograd import gradients as oracle_gradients
from oracle.compare import Closeness, closeness
from support import tflm
from support.nets import Model
from tinytrain.compilation import Compiled
from tinytrain.ir.program import Region
from tinytrain.sim.goal import Goal
from tinytrain.sim.gradients import gradients
from tinytrain.sim.interpreter import Interpreter

# one thread: the same order of sums everywhere, and no fight for the cores
torch.set_num_threads(1)


@dataclass(frozen=True)
class Comparison:
    """Losses, and how close each parameter's gradient is."""

    loss: float
    oracle_loss: float
    parameters: tuple[Closeness, ...]

    def check(self, cosine: float = 0.99, ratio: float = 0.05) -> None:
        assert abs(self.loss - self.oracle_loss) <= 0.01 * self.oracle_loss + 2e-5
        if self.oracle_loss < 1e-6:
            # all other classes together are as unlikely: probabilities end at 2^-28, and so the
            # gradients are a few units of that or nothing
            return
        bad = [c for c in self.parameters if not c.within(cosine, ratio)]
        assert not bad, bad


def initial_state(compiled: Compiled) -> NDArray[np.uint8]:
    return Interpreter(compiled.program, compiled.arena).memory[Region.STATE]


def compare(
    compiled: Compiled, x: NDArray[np.int8], label: int, reference: Activations | None = None
) -> Comparison:
    """Integer gradients beside the oracle's, at the model's own parameters."""
    ours = gradients(compiled, initial_state(compiled), x, Goal(label))
    loss = Interpreter(compiled.program, compiled.arena).step(x, label, 0.0) / 2**20
    oracle_loss, theirs = oracle_gradients(compiled, x, label, reference)
    return Comparison(loss, oracle_loss, tuple(closeness(ours, theirs)))


def compare_model(model: Model, seed: int = 0, update: str = "all") -> Comparison:
    """The same for a random input and label, with tflite-micro's activations as reference."""
    compiled, x = model.compiled(update), model.noise(seed)
    label = seed % compiled.program.classes
    return compare(compiled, x, label, tflm.activations(model.data, x))


def examples_of_classes(
    model: Model, classes: int, n: int, seed: int = 0, noise: float = 40.0
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """n labelled examples: a random pattern for each class, plus noise.

    Of indices, noise / 128 are replaced by others.
    """
    rng = np.random.default_rng(seed)
    if model.indices:
        rows = rng.integers(0, model.indices, (classes, *model.shape))
        labels = rng.integers(0, classes, n)
        other = rng.random((n, *model.shape)) < noise / 128
        values = np.where(other, model.noise(seed, n), rows[labels])
        return values.astype(np.int32), labels
    patterns = rng.normal(size=(classes, *model.shape)) * 60
    labels = rng.integers(0, classes, n)
    values = patterns[labels] + rng.normal(size=(n, *model.shape)) * noise
    return np.clip(np.round(values), -128, 127).astype(np.int8), labels
