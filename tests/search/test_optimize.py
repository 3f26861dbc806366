"""The best sum of contributions within a budget, compared with trying everything."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from support.zoo import ZOO
from tinytrain.compilation import DEFAULTS
from tinytrain.passes.update import layers
from tinytrain.search import optimize
from tinytrain.search.choices import Choices, choices_of
from tinytrain.search.contribution import Gains
from tinytrain.search.cost import Budget, Costs
from tinytrain.search.optimize import best_scheme, gain_of


def case(kind: str, seed: int, count: int = 3) -> tuple[Choices, Gains, Costs]:
    """The last layers of a model, with random gains, some of them negative."""
    graph = ZOO[kind](seed).graph()
    names = [n.name for n in layers(graph)]
    choices = choices_of(graph, names[:-count])
    rng = np.random.default_rng(seed)
    gains = {(n, u): float(rng.normal(0.3)) for n, updates in choices.items() for u in updates}
    return choices, gains, Costs(graph, DEFAULTS)


def brute_force(choices: Choices, gains: Gains, costs: Costs, budget: Budget) -> float:
    best = 0.0
    for picked in product(*([None, *updates] for updates in choices.values())):
        scheme = {n: u for n, u in zip(choices, picked, strict=True) if u}
        if scheme and budget.holds(costs.of(scheme)):
            best = max(best, gain_of(scheme, gains))
    return best


@pytest.mark.parametrize(("kind", "seed", "count"), [("lenet", 1, 3), ("residual", 3, 2)])
def test_the_best_there_is(
    kind: str, seed: int, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    choices, gains, costs = case(kind, seed, count)
    everything = {n: u[-1] for n, u in choices.items()}
    most = costs.of(everything)
    least = min(c.ram for n, us in choices.items() for u in us if (c := costs.of({n: u})))
    assert most is not None and most.ram > least
    for share in (0.0, 0.2, 0.5, 0.8, 1.0):
        budget = Budget(least + int(share * (most.ram - least)))
        expected = brute_force(choices, gains, costs, budget)
        found = best_scheme(choices, gains, costs, budget, seed=0)
        assert found.exact and found.gain == pytest.approx(expected)
        assert not found.scheme or budget.holds(costs.of(found.scheme))
        with monkeypatch.context() as patch:  # evolution alone has to find it as well
            patch.setattr(optimize._Branches, "descend", lambda *_: False)
            evolved = best_scheme(choices, gains, costs, budget, seed=0)
            assert not evolved.exact and evolved.gain == pytest.approx(expected)


def test_time_is_a_limit_too() -> None:
    choices, gains, costs = case("mobilenet", 2, count=2)
    costs = replace(costs, target="armv6m")
    costs_of_all = [costs.of({n: u}) for n, us in choices.items() for u in us]
    cycles = sorted(c.cycles for c in costs_of_all if c and c.cycles)
    assert len(cycles) == len([c for c in costs_of_all if c])
    budget = Budget(1 << 30, cycles[len(cycles) // 2])
    found = best_scheme(choices, gains, costs, budget, seed=0)
    assert found.gain == pytest.approx(brute_force(choices, gains, costs, budget))
    cost = costs.of(found.scheme)
    assert cost is not None and (cost.cycles or 0) <= cycles[len(cycles) // 2]
