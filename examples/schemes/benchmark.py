"""One comparison: a search on what is learned from, then fine-tuning and a test on the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from accuracy.benchmark import find_task
from accuracy.episode import Episode, Examples
from tinytrain.compilation import DEFAULTS, plan_scheme
from tinytrain.passes.update import Scheme
from tinytrain.search.cache import Cache
from tinytrain.search.choices import choices_of, usual_schemes
from tinytrain.search.contribution import Progress
from tinytrain.search.cost import Budget, Costs, key_of
from tinytrain.search.pool import Pool
from tinytrain.search.run import Candidate, Found, Request, search
from tinytrain.search.study import Settings, Study
from tinytrain.sim.goal import Goal
from tinytrain.sim.player import Player

RIVALS = ("last:N", "bias:N", "bias:N and the last weight")
METHODS = ("before", *RIVALS, "tinytrain plan --cheap", "tinytrain plan")


RATES = (0.03, 0.1)
PLANS = 100
SHOWN = 100
"""Of what is learned from, so many examples are shown to the search."""


@dataclass(frozen=True, slots=True)
class Case:
    """A task of examples/accuracy, bytes of arena and state, epochs as the task has."""

    task: str
    ram: int
    epochs: int


CASES = (
    Case("keywords", 10 * 1024, epochs=3),
    Case("digits", 11 * 1024, epochs=3),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one method: accuracy on the test, bytes of arena and state, what was trained, how."""

    accuracy: float
    ram: int
    scheme: str
    rate: float


def compare(
    case: Case, seed: int, pool: Pool, cache: Cache, progress: Progress
) -> Mapping[str, Outcome]:
    """All methods on one seed. Each chooses scheme and rate on the same splits of the same
    examples; the test set is used once, at the end."""
    episode = find_task(case.task).make(seed)
    graph = episode.graph
    shots = episode.shots[:SHOWN]  # in random order
    x = shots.x.reshape(len(shots), -1)
    study = Study(graph, DEFAULTS, x, shots.y, Settings(RATES, case.epochs, seed=seed))
    chosen: dict[str, Candidate] = {}
    costs = Costs(graph, DEFAULTS)
    for cheap in (True, False):
        request = Request(Budget(case.ram), cheap=cheap, plans=PLANS)
        found = search(study, request, pool, cache, progress, costs)
        chosen["tinytrain plan --cheap" if cheap else "tinytrain plan"] = found.best
    for rival in RIVALS:
        best = _best(study, found, rival)
        if best is not None:
            chosen[rival] = best
    result = {"before": Outcome(_tested(episode, {}, 0.0), 0, "none", 0.0)}
    for name, candidate in chosen.items():
        rate = candidate.measured.rate or 0.0
        accuracy = _tested(episode, candidate.scheme, rate)
        what = ", ".join(
            f"{n} {u.channels}{'b' if u.bias else ''}" for n, u in candidate.scheme.items()
        )
        result[name] = Outcome(accuracy, candidate.cost.ram, what, rate)
    return result


def _best(study: Study, found: Found, rival: str) -> Candidate | None:
    """The best of the schemes of that kind that were simulated within the budget."""
    usual = usual_schemes(study.graph, choices_of(study.graph))
    keys = {key_of(scheme) for name, scheme in usual.items() if _kind(name) == rival}
    if rival == RIVALS[2]:
        keys.add(key_of(usual["last:1"]))  # the last bias and the last weight
    return next((c for c in found.candidates if key_of(c.scheme) in keys), None)


def _kind(name: str) -> str:
    """ "last:3" is of the kind "last:N"."""
    scheme, space, rest = name.partition(" ")
    return f"{scheme.partition(':')[0]}:N{space}{rest}"


def _tested(episode: Episode, scheme: Scheme, rate: float) -> float:
    """Accuracy after all steps of the episode."""
    graph = episode.graph
    player = Player(*plan_scheme(graph, scheme, DEFAULTS))
    if scheme:
        for x, y, step_rate in episode.steps(rate):
            player.set_rate(step_rate)
            player.step(player.prepare(x, training=True), Goal(y))
    test: Examples = next(iter(episode.tests.values()))
    right = [
        player.predict(player.prepare(x, training=False)).argmax() == y
        for x, y in zip(test.x, test.y, strict=True)
    ]
    return float(np.mean(right))
