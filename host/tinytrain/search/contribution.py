"""Contribution analysis: the accuracy gained by training each tensor, or a part of it, alone.

The last layer is trained along with each of the others: a fresh one sends nothing back, and what
the others learn shows through it only. Gains of the last layer are over the model as it is, those
of the others over training the last layer only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tinytrain.ir.graph import Graph
from tinytrain.ir.loss import parse_loss
from tinytrain.passes.head import require_head
from tinytrain.passes.update import LayerUpdate, Scheme
from tinytrain.search.cache import Cache
from tinytrain.search.choices import Choices
from tinytrain.search.cost import Budget, Costs, Key, key_of
from tinytrain.search.evaluate import Score
from tinytrain.search.pool import Pool, Task
from tinytrain.search.study import Study

Progress = Callable[[str, int, int], None]
Gains = Mapping[tuple[str, LayerUpdate], float]
"""By layer and what is trained of it."""


@dataclass(frozen=True, slots=True)
class Measured:
    """The mean score over some splits at the best of the learning rates.

    deviation: of the quality, from split to split.
    """

    score: Score
    rate: float | None
    deviation: float


@dataclass(frozen=True, slots=True, eq=False)
class Bench:
    """Where schemes are measured."""

    study: Study
    pool: Pool
    cache: Cache
    progress: Progress

    def measure(self, schemes: Iterable[Scheme], splits: int, what: str) -> Mapping[Key, Measured]:
        """All of them on splits 0 .. splits - 1."""
        keys = list(dict.fromkeys(key_of(s) for s in schemes))
        tasks = [Task(key, split) for key in keys for split in range(splits)]
        found = {}
        self.progress(what, 0, len(tasks))
        for task, scores in self.cache.run(self.study, tasks, self.pool):
            found[task] = scores
            self.progress(what, len(found), len(tasks))
        rates = self.study.settings.rates
        return {key: _mean([found[Task(key, i)] for i in range(splits)], rates) for key in keys}


def _mean(splits: Sequence[tuple[Score, ...]], rates: tuple[float, ...]) -> Measured:
    """The rate with the best mean counts, the smallest of equal ones."""
    best: Measured | None = None
    for i in range(len(splits[0])):
        qualities = np.array([scores[i].quality for scores in splits])
        expected = float(np.mean([scores[i].expected for scores in splits]))
        rate = rates[i] if len(splits[0]) == len(rates) else None
        found = Measured(Score(expected, float(qualities.mean())), rate, float(qualities.std()))
        if best is None or found.score > best.score:
            best = found
    assert best is not None
    return best


def head_name(graph: Graph, loss: str) -> str:
    """The layer that makes the logits."""
    return require_head(graph, parse_loss(loss)).node.name


def base_scheme(head: str, choices: Choices, costs: Costs, budget: Budget) -> Scheme:
    """What is trained beside each tensor: as much of the last layer as the budget holds."""
    for update in reversed(choices.get(head, ())):
        if budget.holds(costs.of({head: update})):
            return {head: update}
    return {}


def singles(choices: Choices, costs: Costs, budget: Budget) -> Sequence[tuple[str, LayerUpdate]]:
    """The choices that the budget can hold at all."""
    return [
        (name, update)
        for name, updates in choices.items()
        for update in updates
        if budget.may_hold(costs.of({name: update}))
    ]


def simulated_gains(
    bench: Bench, parts: Sequence[tuple[str, LayerUpdate]], head: str, base: Scheme, splits: int
) -> tuple[Gains, Gains]:
    """Gains by fine-tuning with each part, of expected and of real accuracy."""
    schemes = {part: _with(base, head, part) for part in parts}
    measured = bench.measure([{}, base, *schemes.values()], splits, "contributions")
    before, only_head = measured[key_of({})], measured[key_of(base)]
    expected, real = {}, {}
    for part, scheme in schemes.items():
        reference = (before if part[0] == head else only_head).score
        found = measured[key_of(scheme)].score
        expected[part] = found.expected - reference.expected
        real[part] = found.quality - reference.quality
    return expected, real


def _with(base: Scheme, head: str, part: tuple[str, LayerUpdate]) -> Scheme:
    name, update = part
    return {name: update} if name == head else {**base, name: update}
