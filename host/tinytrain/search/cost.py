"""What a scheme costs: RAM as planned, and the multiply-accumulates and cycles of a step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tinytrain.compilation import Options, plan_scheme
from tinytrain.errors import BuildError, TinyTrainError, UpdateError
from tinytrain.ir.graph import Graph
from tinytrain.passes.storage import State
from tinytrain.passes.update import LayerUpdate, Scheme
from tinytrain.plan.cycles import coefficients, estimate


@dataclass(frozen=True, slots=True)
class Cost:
    """arena, state: bytes. bound: below which no plan of the arena can be. macs: of a step.

    cycles: of a step as the report estimates them; None where a kernel has not been measured.
    """

    arena: int
    state: int
    bound: int
    macs: int
    cycles: int | None = None

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
    target: for which cycles are estimated, if any.
    """

    graph: Graph
    options: Options
    target: str | None = None
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
        calls = program.step or program.predict
        macs, bits = sum(call.macs for call in calls), program.gradients.bits
        cycles = None if self.target is None else estimate(calls, self.target, bits)
        return Cost(arena.nbytes, program.state_bytes, arena.least, macs, cycles)


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits: ram in bytes of arena and state, cycles of a step; None: any."""

    ram: int
    cycles: int | None = None

    def holds(self, cost: Cost | None) -> bool:
        """Whether a scheme of this cost can be taken."""
        return cost is not None and cost.ram <= self.ram and self._in_time(cost)

    def may_hold(self, cost: Cost | None) -> bool:
        """Whether a scheme that trains more than one of this cost can still be taken."""
        return cost is not None and cost.bound + cost.state <= self.ram and self._in_time(cost)

    def _in_time(self, cost: Cost) -> bool:
        return self.cycles is None or (cost.cycles is not None and cost.cycles <= self.cycles)


def allowed_cycles(limit: float, board: str, target: str, clock_hz: int | None) -> int:
    """How many cycles a step of so many seconds has; BuildError if that tells nothing."""
    if clock_hz is None or not coefficients(target):
        raise BuildError(
            f"--time: nobody has measured how fast {board} ({target}) is, or its clock is unknown; "
            "leave --time out"
        )
    return int(limit * clock_hz)


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
    timed = [(c.cycles, name) for name, c in found.items() if c.cycles is not None]
    if not timed:
        raise UpdateError(f"{model}: some of its kernels have not been timed; leave --time out")
    cycles, name = min(timed)
    raise UpdateError(
        f"{model}: no scheme is within RAM and time; a step of the fastest one ({name}) takes "
        f"about {cycles:,} cycles, {budget.cycles or 0:,} are allowed. Allow more with --time"
    )
