"""What a scheme costs: RAM as planned, multiply-accumulates of a step, and the time they take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tinytrain.compilation import Options, plan_scheme
from tinytrain.errors import BuildError, TinyTrainError, UpdateError
from tinytrain.ir.graph import Graph
from tinytrain.passes.storage import State
from tinytrain.passes.update import LayerUpdate, Scheme


@dataclass(frozen=True, slots=True)
class Cost:
    """arena, state: bytes. bound: below which no plan of the arena can be. macs: of a step."""

    arena: int
    state: int
    bound: int
    macs: int

    @property
    def ram(self) -> int:
        """Arena and state."""
        return self.arena + self.state


Key = tuple[tuple[str, LayerUpdate], ...]


def key_of(scheme: Scheme) -> Key:
    """The same for equal schemes."""
    return tuple(sorted(scheme.items(), key=lambda item: item[0]))


@dataclass(frozen=True, slots=True, eq=False)
class Costs:
    """Costs of schemes, each planned once by the planner that `build` uses.

    A scheme that cannot be lowered (its sums would overflow) costs None; reasons has why.
    """

    graph: Graph
    options: Options
    known: dict[Key, Cost | None] = field(default_factory=dict)
    reasons: dict[Key, str] = field(default_factory=dict)

    def of(self, scheme: Scheme) -> Cost | None:
        """The cost of a scheme."""
        key = key_of(scheme)
        if key not in self.known:
            self.known[key] = self._plan(key, scheme)
        return self.known[key]

    def at_least(self, scheme: Scheme) -> int:
        """Bytes that a scheme takes in any case, without a plan: the state of all its parts, and
        the largest arena that one of them needs."""
        parts = [self.of({name: update}) for name, update in scheme.items()]
        found = [cost for cost in parts if cost is not None]
        empty = State(self.options.optimizer).nbytes
        return (
            empty + sum(c.state - empty for c in found) + max((c.bound for c in found), default=0)
        )

    def _plan(self, key: Key, scheme: Mapping[str, LayerUpdate]) -> Cost | None:
        try:
            program, arena = plan_scheme(self.graph, scheme, self.options)
        except TinyTrainError as error:
            self.reasons[key] = str(error)
            return None
        macs = sum(call.macs for call in (program.step or program.predict))
        return Cost(arena.nbytes, program.state_bytes, arena.lower_bound, macs)


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits: ram in bytes of arena and state, macs of a step; None: any."""

    ram: int
    macs: int | None = None

    def holds(self, cost: Cost | None) -> bool:
        """Whether a scheme of this cost can be taken."""
        return cost is not None and cost.ram <= self.ram and self._in_time(cost)

    def may_hold(self, cost: Cost | None) -> bool:
        """Whether a scheme that trains more than one of this cost can still be taken."""
        return cost is not None and cost.bound + cost.state <= self.ram and self._in_time(cost)

    def _in_time(self, cost: Cost) -> bool:
        return self.macs is None or cost.macs <= self.macs


CYCLES_PER_MAC = {"armv6m": 33.0}
"""Of a whole training step, by target: 28.9 to 38.2 on the emulated Pico (docs/SCHEMES.md)."""


def seconds(macs: int, target: str, clock_hz: int | None) -> float | None:
    """About how long a step of so many multiply-accumulates takes; None where that is unknown."""
    if clock_hz is None or target not in CYCLES_PER_MAC:
        return None
    return macs * CYCLES_PER_MAC[target] / clock_hz


def allowed_macs(limit: float, board: str, target: str, clock_hz: int | None) -> int:
    """How many multiply-accumulates a step of so many seconds has; BuildError if unknown."""
    one = seconds(1, target, clock_hz)
    if one is None:
        raise BuildError(
            f"--time: nobody has measured how fast {board} ({target}) is, or its clock is unknown; "
            "leave --time out"
        )
    return int(limit / one)


def check_possible(costs: Costs, schemes: Mapping[str, Scheme], budget: Budget) -> None:
    """UpdateError that names the cheapest of these schemes, unless one of them is within budget."""
    found = {name: cost for name, s in schemes.items() if (cost := costs.of(s)) is not None}
    if any(budget.holds(cost) for cost in found.values()):
        return
    model = costs.graph.name
    if not found:
        reason = next(iter(costs.reasons.values()), "it has no layers with weights")
        raise UpdateError(f"{model}: nothing can be trained: {reason}")
    name, least = min(found.items(), key=lambda item: (item[1].ram, item[1].macs, item[0]))
    if least.ram > budget.ram:
        raise UpdateError(
            f"{model}: {budget.ram:,} bytes hold no scheme; the smallest one ({name}) needs "
            f"{least.ram:,}: arena {least.arena:,} + state {least.state:,}. Allow more with --ram, "
            "or take a smaller model"
        )
    name, least = min(found.items(), key=lambda item: (item[1].macs, item[0]))
    raise UpdateError(
        f"{model}: no scheme is within RAM and time; a step of the fastest one ({name}) has "
        f"{least.macs:,} multiply-accumulates, {budget.macs or 0:,} are allowed. Allow more with "
        "--time"
    )
