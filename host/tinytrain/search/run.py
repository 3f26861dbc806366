"""The search: contributions, schemes within the budget, fine-tuning with the best of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tinytrain.errors import UpdateError
from tinytrain.passes.update import LayerUpdate, Scheme
from tinytrain.search.cache import Cache
from tinytrain.search.choices import Choices, choices_of, describe, usual_schemes
from tinytrain.search.contribution import (
    Bench,
    Gains,
    Measured,
    Progress,
    base_scheme,
    head_name,
    simulated_gains,
    singles,
)
from tinytrain.search.cost import Budget, Cost, Costs, check_possible, key_of
from tinytrain.search.fisher import fisher_gains
from tinytrain.search.optimize import PLANS, best_scheme, gain_of
from tinytrain.search.pool import Pool
from tinytrain.search.study import Study

SHARES = (1.0, 0.8, 0.6, 0.4, 0.2)
"""Parts of the budget above the smallest scheme for which a scheme is searched."""

USUAL = 5
"""How many schemes of a kind (last:N, bias:N) are simulated beside those found."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for.

    splits: of the data, on how many each scheme is simulated.
    cheap: contributions from gradients instead of simulations.
    frozen: names of layers that are never trained. plans: how many schemes branch and bound may
    plan for the whole budget, and evolution once more. target: for which cycles are estimated.
    """

    budget: Budget
    splits: int = 4
    cheap: bool = False
    frozen: tuple[str, ...] = ()
    plans: int = PLANS
    target: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A scheme that was simulated. name: what it is; gain: the sum of its contributions."""

    name: str
    scheme: Scheme
    cost: Cost
    measured: Measured
    gain: float


@dataclass(frozen=True, slots=True, eq=False)
class Contribution:
    """What training a part of a layer alone gains, and needs.

    gain: of the mean probability of the right answer, or Fisher information (cheap). accuracy:
    gained accuracy; None if that was not simulated.
    """

    layer: str
    update: LayerUpdate
    gain: float
    accuracy: float | None
    cost: Cost


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """The result of a search. candidates: best first; the first one is the choice.

    before: the model as it is. base: what was trained beside each tensor. exact: whether the sum
    of contributions of the scheme found for the whole budget is the largest there is.
    """

    candidates: tuple[Candidate, ...]
    contributions: tuple[Contribution, ...]
    before: Measured
    base: Scheme
    request: Request
    exact: bool

    @property
    def best(self) -> Candidate:
        """The choice."""
        return self.candidates[0]


def search(
    study: Study,
    request: Request,
    pool: Pool,
    cache: Cache,
    progress: Progress,
    known: Costs | None = None,
) -> Found:
    """Find the best scheme; an UpdateError says why there is none.

    known: costs from another search on the same graph and options, which need no plan again.
    """
    graph, budget = study.graph, request.budget
    costs = Costs(graph, study.options, request.target) if known is None else known
    choices = choices_of(graph, request.frozen)
    alone = {describe(graph, n, u): {n: u} for n, updates in choices.items() for u in updates}
    check_possible(costs, alone, budget)
    study.split(0)  # refuse too few examples before anything takes long
    bench = Bench(study, pool, cache, progress)
    head = head_name(graph, study.options.loss)
    parts = singles(choices, costs, budget)
    base = base_scheme(head, choices, costs, budget)
    if request.cheap:
        rate = _rate_of(bench, base)
        accuracies: Gains = {}
        gains: Gains = fisher_gains(
            study, parts, head, base, rate, lambda i, n: progress("gradients", i, n)
        )
    else:
        gains, accuracies = simulated_gains(bench, parts, head, base, request.splits)
    schemes, exact = _finalists(study, request, choices, gains, costs, progress)
    measured = bench.measure([{}, *schemes.values()], request.splits, "best schemes")
    candidates = []
    for name, scheme in schemes.items():
        cost = costs.of(scheme)
        assert cost is not None
        found = measured[key_of(scheme)]
        candidates.append(Candidate(name, scheme, cost, found, gain_of(scheme, gains)))
    candidates.sort(key=lambda c: (c.measured.score, -c.cost.ram, -c.cost.macs), reverse=True)
    return Found(
        tuple(candidates),
        tuple(_contributions(parts, gains, accuracies, costs)),
        measured[key_of({})],
        base,
        request,
        exact,
    )


def _rate_of(bench: Bench, base: Scheme) -> float:
    """The best learning rate for the last layer alone."""
    rate = bench.measure([base], 1, "last layer")[key_of(base)].rate if base else None
    return bench.study.settings.rates[0] if rate is None else rate


def _finalists(
    study: Study,
    request: Request,
    choices: Choices,
    gains: Gains,
    costs: Costs,
    progress: Progress,
) -> tuple[Mapping[str, Scheme], bool]:
    """What will be simulated, by name: the best by contributions for the budget and for parts of
    it, and what one would try by hand."""
    budget, plans = request.budget, [0]

    def tick() -> None:
        plans[0] += 1
        progress(f"schemes planned: {plans[0]}", 0, 0)

    least = min(c.ram for c in costs.known.values() if c is not None)
    found: dict[str, Scheme] = {}
    exact = True
    for share in SHARES:
        ram = least + int(share * (budget.ram - least))
        part = Budget(ram, budget.cycles)
        effort = request.plans if share == 1.0 else request.plans // 4
        best = best_scheme(choices, gains, costs, part, study.settings.seed, tick, effort)
        exact = exact and (best.exact or share < 1.0)
        if best.scheme and best.scheme not in found.values():
            found[f"found for {ram:,} bytes"] = best.scheme
    for name, scheme in _usual(study, choices, costs, budget).items():
        if scheme not in found.values():
            found[name] = scheme
    if not found:
        raise UpdateError(f"{study.graph.name}: no scheme within the budget; allow more with --ram")
    return found, exact


def _usual(study: Study, choices: Choices, costs: Costs, budget: Budget) -> Mapping[str, Scheme]:
    """Some of each kind that the budget holds, the largest included."""
    kinds: dict[str, list[tuple[str, Scheme]]] = {}
    for name, scheme in usual_schemes(study.graph, choices).items():
        if budget.holds(costs.of(scheme)):
            kind = name.split(":")[0] + name.partition(" ")[2]
            kinds.setdefault(kind, []).append((name, scheme))
    return {k: v for found in kinds.values() for k, v in _spread(found)}


def _spread(found: Sequence[tuple[str, Scheme]]) -> Sequence[tuple[str, Scheme]]:
    if len(found) <= USUAL:
        return found
    step = (len(found) - 1) / (USUAL - 1)
    return [found[round(i * step)] for i in range(USUAL)]


def _contributions(
    parts: Sequence[tuple[str, LayerUpdate]], gains: Gains, accuracies: Gains, costs: Costs
) -> Sequence[Contribution]:
    found = []
    for part in parts:
        cost = costs.of(dict([part]))
        if cost is not None:
            found.append(Contribution(*part, gains[part], accuracies.get(part), cost))
    return found
