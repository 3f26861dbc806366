"""The arena: which buffers share memory, and where each lies.

Working in place costs nothing and is always taken. Overlapping memory binds two buffers together at
a fixed distance, which can make placing harder, so it is taken only where it lowers the arena: at
the peak, again and again, as long as the peak has such a chance.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tinytrain.ir.program import Program
from tinytrain.plan.lifetime import Sharing, Storage, sharings, storages
from tinytrain.plan.order import reorder
from tinytrain.plan.placement import place


@dataclass(frozen=True, slots=True)
class Arena:
    """nbytes of arena, offsets by buffer name, the lower bound and the tick where it is reached.

    The lower bound is the largest sum of storages alive at one tick. optimal: no placement of these
    storages takes fewer bytes. order_bound: what the best order needs at its peak, with all the
    sharing that is possible there; if order_exact, no order needs less.
    """

    nbytes: int
    offsets: Mapping[str, int]
    lower_bound: int
    peak_tick: int
    storages: tuple[Storage, ...]
    optimal: bool = False
    order_bound: int = 0
    order_exact: bool = False

    @property
    def proven(self) -> bool:
        """Whether no order and no placement of these calls takes fewer bytes."""
        return self.order_exact and self.nbytes == self.order_bound


def plan_program(program: Program) -> tuple[Program, Arena]:
    """The program with its calls in the best order found, and its arena; deterministic."""
    ordered = reorder(program)
    arena = plan_calls(ordered.program)
    return ordered.program, replace(arena, order_bound=ordered.bound, order_exact=ordered.exact)


def plan_calls(program: Program) -> Arena:
    """The arena of a program whose calls run in the order given."""
    chances = sharings(program)
    chosen = [s for s in chances if s.lead == 0]
    made = storages(program, chosen)
    best = plan_arena(made)
    rest = [s for s in chances if s.lead > 0]
    load, tick = _peak(made)
    while candidate := _at(tick, rest):
        rest.remove(candidate)
        chosen = [*chosen, candidate]
        made = storages(program, chosen)
        load, tick = _peak(made)
        if load < best.nbytes:
            best = min(best, plan_arena(made), key=lambda arena: arena.nbytes)
    return best


def _at(tick: int, chances: Sequence[Sharing]) -> Sharing | None:
    return next((s for s in chances if s.tick == tick), None)


def plan_arena(parts: Sequence[Storage]) -> Arena:
    """Place all storages; deterministic."""
    bound, tick = _peak(parts)
    placed = place(parts, bound)
    offsets = {
        part.buffer.name: offset + part.at
        for storage, offset in zip(parts, placed.offsets, strict=True)
        for part in storage.parts
    }
    return Arena(placed.nbytes, offsets, bound, tick, tuple(parts), placed.optimal)


def tick_loads(parts: Sequence[Storage]) -> Mapping[int, int]:
    """Bytes in use at each tick where something begins to live, so at the peak too."""
    starts = sorted({a for s in parts for a, _ in s.live})
    loads = dict.fromkeys(starts, 0)
    for storage in parts:
        spans = (slice(bisect_left(starts, a), bisect_right(starts, b)) for a, b in storage.live)
        for tick in {tick for span in spans for tick in starts[span]}:
            loads[tick] += storage.extent(tick)
    return loads


def _peak(parts: Sequence[Storage]) -> tuple[int, int]:
    """The largest load, and the first tick that has it."""
    loads = ((n, t) for t, n in tick_loads(parts).items())
    return max(loads, key=lambda pair: (pair[0], -pair[1]), default=(0, 0))
