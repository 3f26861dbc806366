"""The scheme with the largest sum of contributions within a budget.

Exact by branch and bound where that ends soon enough, else by evolution from the best one found.
Costs are those of real plans; a branch ends where what is trained already needs more than the
budget (to train more never needs less), or where the rest cannot make it better.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from tinytrain.passes.storage import State
from tinytrain.passes.update import LayerUpdate, Scheme
from tinytrain.search.choices import Choices
from tinytrain.search.contribution import Gains
from tinytrain.search.cost import Budget, Cost, Costs

PLANS = 400
"""How many schemes branch and bound may plan, and evolution once more."""

POPULATION, STALE = 32, 25
"""Schemes in a generation; generations without a better one, after which evolution ends."""


@dataclass(frozen=True, slots=True)
class Best:
    """scheme: empty if none is within the budget. gain: sum of its contributions.

    exact: no other scheme has a larger sum.
    """

    scheme: Scheme
    gain: float
    exact: bool


Options = tuple[tuple[str, tuple[tuple[LayerUpdate, float], ...]], ...]
"""By layer, the last one first: what may be trained of it, with its gain."""


def best_scheme(
    choices: Choices,
    gains: Gains,
    costs: Costs,
    budget: Budget,
    seed: int,
    tick: Callable[[], None] = lambda: None,
    plans: int = PLANS,
) -> Best:
    """The best scheme; the same for the same arguments.

    tick: called after each plan. plans: how many branch and bound may make, and then evolution.
    """
    options = _worthwhile(choices, gains)
    search = _Branches(options, costs, budget, _increments(options, costs), tick, plans)
    exact = search.descend(0, {}, 0.0)
    best = search.best
    if not exact:
        found = _evolve(options, costs, budget, best, np.random.default_rng(seed), tick, plans)
        best = max(best, found, key=lambda pair: pair[1])
    return Best(*best, exact)


def _worthwhile(choices: Choices, gains: Gains) -> Options:
    """Without choices that gain no more than smaller ones."""
    options = []
    for name in reversed(list(choices)):
        kept: list[tuple[LayerUpdate, float]] = []
        for update in choices[name]:
            gain = gains.get((name, update), 0.0)
            if gain > (kept[-1][1] if kept else 0.0):
                kept.append((update, gain))
        if kept:
            options.append((name, tuple(kept)))
    return tuple(options)


@dataclass(slots=True)
class _Branches:
    options: Options
    costs: Costs
    budget: Budget
    increments: Sequence[Sequence[tuple[float, int]]]
    tick: Callable[[], None]
    limit: int
    best: tuple[Scheme, float] = field(default_factory=lambda: ({}, 0.0))
    plans: int = 0

    def descend(self, depth: int, scheme: Scheme, gain: float) -> bool:
        """Try everything that trains `scheme` and more of the layers from `depth` on.

        False if that would have taken too long.
        """
        if self.costs.at_least(scheme) > self.budget.ram:
            return True
        cost = self._cost(scheme) if scheme else None
        if scheme and not self.budget.may_hold(cost):
            return True
        if gain > self.best[1] and self.budget.holds(cost):
            self.best = scheme, gain
        if depth == len(self.options) or gain + self._rest(depth, cost) <= self.best[1]:
            return True
        if self.plans >= self.limit:
            return False
        name, updates = self.options[depth]
        ended = [
            self.descend(depth + 1, {**scheme, name: update}, gain + more)
            for update, more in reversed(updates)
        ]
        return self.descend(depth + 1, scheme, gain) and all(ended)

    def _cost(self, scheme: Scheme) -> Cost | None:
        new = len(self.costs.known)
        cost = self.costs.of(scheme)
        if len(self.costs.known) > new:
            self.plans += 1
            self.tick()
        return cost

    def _rest(self, depth: int, cost: Cost | None) -> float:
        """At most so much can be gained from `depth` on, by the state that there is room for."""
        room = self.budget.ram - (cost.bound + cost.state if cost else 0)
        total = 0.0
        for gain, nbytes in self.increments[depth]:
            if nbytes > room:
                return total + gain * room / nbytes
            total, room = total + gain, room - nbytes
        return total


def _increments(options: Options, costs: Costs) -> list[list[tuple[float, int]]]:
    """For each depth, the steps (gain, bytes of state) of the layers from there on, best ratio
    first: the linear relaxation of what fits."""
    empty = State(costs.options.optimizer).nbytes
    steps: list[list[tuple[float, int]]] = []
    for name, updates in options:
        found = [(gain, costs.of({name: update})) for update, gain in updates]
        steps.append(_hull([(gain, c.state - empty) for gain, c in found if c is not None]))
    suffixes = [[s for layer in steps[depth:] for s in layer] for depth in range(len(steps) + 1)]
    return [sorted(s, key=lambda step: -step[0] / max(step[1], 1)) for s in suffixes]


def _hull(points: Sequence[tuple[float, int]]) -> list[tuple[float, int]]:
    """Steps along the upper hull of (bytes, gain) from the origin; slopes fall."""
    corners: list[tuple[float, int]] = [(0.0, 0)]
    for gain, nbytes in points:
        while len(corners) > 1 and _slope(corners[-1], (gain, nbytes)) >= _slope(
            corners[-2], corners[-1]
        ):
            corners.pop()
        corners.append((gain, nbytes))
    return [(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(corners)]


def _slope(a: tuple[float, int], b: tuple[float, int]) -> float:
    return (b[0] - a[0]) / max(b[1] - a[1], 1)


Genome = tuple[int, ...]


def _evolve(
    options: Options,
    costs: Costs,
    budget: Budget,
    start: tuple[Scheme, float],
    rng: np.random.Generator,
    tick: Callable[[], None],
    plans: int,
) -> tuple[Scheme, float]:
    """Mutation and crossover of what is trained of each layer (0: nothing); the fittest stay."""
    sizes = np.array([len(updates) + 1 for _, updates in options])
    fitness: dict[Genome, float] = {}

    def fit(genome: Genome) -> float:
        if genome not in fitness:
            scheme = _scheme(options, genome)
            over = costs.at_least(scheme) - budget.ram
            cost = costs.of(scheme) if scheme and over <= 0 else None
            tick()
            fitness[genome] = _gain(options, genome) if budget.holds(cost) else -max(over, 1)
        return fitness[genome]

    first = tuple(
        next((i for i, (u, _) in enumerate(updates, 1) if start[0].get(name) == u), 0)
        for name, updates in options
    )
    alive = [first, *(tuple(rng.integers(0, sizes).tolist()) for _ in range(POPULATION - 1))]
    best, stale = start, 0
    while stale < STALE and len(fitness) < plans:
        alive = sorted(dict.fromkeys(alive), key=lambda g: (-fit(g), g))[: POPULATION // 2]
        stale += 1
        if fit(alive[0]) > best[1]:
            best, stale = (_scheme(options, alive[0]), fit(alive[0])), 0
        alive += [_child(alive, sizes, rng) for _ in range(POPULATION - len(alive))]
    return best


def _child(
    alive: Sequence[Genome], sizes: npt.NDArray[np.int64], rng: np.random.Generator
) -> Genome:
    a, b = (np.array(alive[i]) for i in rng.integers(0, len(alive), 2))
    genes = np.where(rng.random(len(sizes)) < 0.5, a, b)
    for place in rng.integers(0, len(sizes), rng.integers(1, 3)):
        genes[place] = rng.integers(0, sizes[place])
    return tuple(genes.tolist())


def _scheme(options: Options, genome: Genome) -> Scheme:
    pairs = zip(options, genome, strict=True)
    return {name: updates[i - 1][0] for (name, updates), i in pairs if i}


def _gain(options: Options, genome: Genome) -> float:
    return sum(u[i - 1][1] for (_, u), i in zip(options, genome, strict=True) if i)


def gain_of(scheme: Mapping[str, LayerUpdate], gains: Gains) -> float:
    """The sum of a scheme's contributions."""
    return sum(gains.get((name, update), 0.0) for name, update in scheme.items())
