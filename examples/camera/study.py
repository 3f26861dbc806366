"""What a camera learns: accuracy by shots, by time, and what it forgets. One seed at a time."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from learner import Learner, record_size  # noqa: E402
from memory import Block, Memory  # noqa: E402
from models import Setup  # noqa: E402
from shown import PEOPLE, THINGS, Pixels, Shape, split  # noqa: E402
from simulated import BoardTrainer  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402
from views import VIEWS  # noqa: E402

SHOTS = (5, 10, 20, 40)
STEPS, TIMED_STEPS, TIMED_SHOTS = 400, (10, 25, 50, 100, 200, 400, 800), 10
KEPT = (4, 8, 20, 40)  # latents of a class
EVERY = len(VIEWS)


@dataclass(frozen=True, slots=True)
class Bench:
    """A setup on one side, with what its frozen layers gave so far."""

    setup: Setup
    floating: bool = False
    latents: dict[bytes, bytes] = field(default_factory=dict)
    features: dict[bytes, torch.Tensor] = field(default_factory=dict)

    @property
    def shape(self) -> Shape:
        """Of a picture."""
        height, width, channels = self.setup.compiled().graph.input.shape[1:]
        return height, width, channels

    def learner(self, each: int, seed: int) -> Learner:
        """A fresh one that keeps so many latents of a class."""
        compiled = self.setup.compiled()
        trainer: Any
        if self.floating:
            from floating import FloatTrainer

            trainer = FloatTrainer(compiled.graph, self.setup.update, self.features)
        else:
            trainer = BoardTrainer(compiled, self.latents)
        records = Block(trainer.classes, each, record_size(trainer))
        return Learner(trainer, Memory(records, trainer.classes, each, seed + 1))

    def right(self, learner: Learner, pictures: Pixels, label: int) -> float:
        """Percent of the pictures that are given that label."""
        found = []
        for picture in pictures:
            learner.pixels[:] = picture.tobytes()
            if self.floating:
                learner.trainer.quantize(learner.pixels, learner.x)
                guess = learner.trainer.classify(learner.x, learner.memory.known())
            else:
                guess = learner.look()[0]
            found.append(guess == label)
        return 100 * float(np.mean(found))


def show(learner: Learner, pictures: Mapping[str, Pixels], first: int = 0) -> None:
    """Pictures of each name in turn; labels from `first` on."""
    for several in zip(*pictures.values(), strict=True):
        for label, picture in enumerate(several, first):
            learner.pixels[:] = picture.tobytes()
            learner.show(label)


def recognise(bench: Bench, shots: int, steps: int, seed: int) -> float:
    """Percent of people and backgrounds that are told apart after so many shots and steps."""
    learned, unseen = split(PEOPLE, bench.shape, shots, seed)
    learner = bench.learner(shots * EVERY, seed)
    show(learner, learned)
    learner.train(steps, bench.setup.rate)
    return float(np.mean([bench.right(learner, unseen[n], i) for i, n in enumerate(PEOPLE)]))


def baseline(shape: Shape, shots: int, seed: int) -> float:
    """Logistic regression on raw pixels, standardized or not, whichever is better on the test."""
    learned, unseen = split(PEOPLE, shape, shots, seed)
    x, y = _flat(learned)
    models = [
        make_pipeline(*scaling, LogisticRegression(max_iter=2000)).fit(x, y)
        for scaling in ((), (StandardScaler(),))
    ]
    return max(100 * float(m.score(*_flat(unseen))) for m in models)


def _flat(pictures: Mapping[str, Pixels]) -> tuple[np.ndarray, np.ndarray]:
    x = np.concatenate([p.reshape(len(p), -1) / 255 for p in pictures.values()])
    return x, np.repeat(np.arange(len(pictures)), [len(p) for p in pictures.values()])


def forget(bench: Bench, rehearsed: int | None, seed: int) -> dict[str, float]:
    """People, then two things, 10 shots each; percent right of the old and of the new.

    rehearsed: latents kept of a class; None: only the new things are learned then.
    """
    people, unseen = split(PEOPLE, bench.shape, TIMED_SHOTS, seed)
    things, new = split(tuple(THINGS), bench.shape, TIMED_SHOTS, seed)
    learner = bench.learner(rehearsed or TIMED_SHOTS * EVERY, seed)
    show(learner, people)
    learner.train(STEPS, bench.setup.rate)
    first = len(PEOPLE)
    before = [bench.right(learner, unseen[n], i) for i, n in enumerate(PEOPLE)]
    show(learner, things, first)
    labels = None if rehearsed else [first + i for i in range(len(THINGS))]
    learner.train(STEPS, bench.setup.rate, labels)
    old = [bench.right(learner, unseen[n], i) for i, n in enumerate(PEOPLE)]
    added = [bench.right(learner, new[n], first + i) for i, n in enumerate(THINGS)]
    means: Sequence[list[float]] = (before, old, added, old + added)
    names = ("people before", "people after", "things", "all four")
    return {name: float(np.mean(values)) for name, values in zip(names, means, strict=True)}
