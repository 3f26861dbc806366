"""The arena: which buffers share memory, and where each lies.

Working in place costs nothing and is taken wherever it is possible; which of two operands a sum
takes the place of is tried. Whether buffers overlap otherwise is decided by where they are placed.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from tinytrain.ir.program import Program
from tinytrain.plan.conflicts import Conflicts, conflicts
from tinytrain.plan.exact import least_bytes
from tinytrain.plan.lifetime import Prefer, Sharing, Storage, lifetimes, sharings
from tinytrain.plan.order import reorder
from tinytrain.plan.placement import Placement, improved, place, place_in_order


@dataclass(frozen=True, slots=True)
class Arena:
    """nbytes of arena, offsets by buffer name, the lower bound and the tick where it is reached.

    The lower bound is the largest sum of bytes in use at one tick, with all the sharing that is
    possible there. least: what no placement and no sharing in this order of calls can be below, as
    far as is proven. order_bound: what the best order needs at its peak; if order_exact, no order
    needs less.
    """

    nbytes: int
    offsets: Mapping[str, int]
    lower_bound: int
    peak_tick: int
    storages: tuple[Storage, ...]
    least: int = 0
    order_bound: int = 0
    order_exact: bool = False

    @property
    def optimal(self) -> bool:
        """Whether no placement of the calls in this order takes fewer bytes."""
        return self.nbytes == self.least

    @property
    def proven(self) -> bool:
        """Whether no order and no placement of these calls takes fewer bytes."""
        return self.order_exact and self.nbytes == self.order_bound


def plan_best(programs: Iterable[Program]) -> tuple[Program, Arena]:
    """Of programs that compute the same, the one with the smallest arena; where that is equal, the
    one with less work. It comes with its calls in the best order found; deterministic."""
    best = plan_within(programs, sys.maxsize)
    assert best is not None
    return best


def plan_within(programs: Iterable[Program], nbytes: int) -> tuple[Program, Arena] | None:
    """The same for an arena of at most so many bytes; None if there is none."""
    best: tuple[Program, Arena] | None = None
    ordered_programs = (reorder(program) for program in programs)
    for ordered in sorted(ordered_programs, key=lambda o: (o.bound, _work(o.program))):
        if ordered.bound > nbytes or (best is not None and ordered.bound > best[1].nbytes):
            break
        arena = plan_calls(ordered.program)
        arena = replace(arena, order_bound=ordered.bound, order_exact=ordered.exact)
        if best is None or _key(ordered.program, arena) < _key(*best):
            best = ordered.program, arena
    return best if best is not None and best[1].nbytes <= nbytes else None


def _work(program: Program) -> int:
    return sum(call.macs for call in program.predict)


def _key(program: Program, arena: Arena) -> tuple[int, int]:
    return arena.nbytes, _work(program)


def plan_program(program: Program) -> tuple[Program, Arena]:
    """The program with its calls in the best order found, and its arena; deterministic."""
    return plan_best([program])


def plan_calls(program: Program) -> Arena:
    """The arena of a program whose calls run in the order given."""
    shared = sharings(program)
    apart = [s for s in shared if not s.in_place]
    merged = (lifetimes(program, prefer) for prefer in Prefer)
    return _plan(lifetimes(program, None), shared, merged, apart)


def plan_arena(parts: Sequence[Storage]) -> Arena:
    """Place storages that share nothing; deterministic."""
    return _plan(parts, (), (), ())


@dataclass(frozen=True, slots=True)
class _Plan:
    """Storages and where they lie."""

    parts: Sequence[Storage]
    among: Conflicts
    placed: Placement

    def improved(self, bound: int) -> _Plan:
        """After exchanges in the order of placing."""
        return replace(self, placed=improved(self.among, self.placed, bound))


def _smaller(one: _Plan, other: _Plan) -> _Plan:
    return other if other.placed.nbytes < one.placed.nbytes else one


def _plan(
    parts: Sequence[Storage],
    shared: Sequence[Sharing],
    merged: Iterable[Sequence[Storage]],
    apart: Sequence[Sharing],
) -> Arena:
    """parts, shared: buffers on their own, and all they may share. merged: the same with what works
    in place merged, so that apart is left."""
    bound, tick = _peak(parts, shared)
    free = conflicts(parts, shared)
    plans: list[_Plan] = []
    for way, chances in (*((way, apart) for way in merged), (parts, shared)):
        among = free if way is parts else conflicts(way, chances)
        plans.append(_Plan(way, among, place(among, bound)))
        if plans[-1].placed.nbytes == bound:
            break
    best = min(plans, key=lambda plan: plan.placed.nbytes)

    def attempt(low: Sequence[int]) -> int:
        nonlocal best
        order = sorted(range(len(low)), key=lambda i: (low[i], -free.sizes[i], i))
        placed = place_in_order(free, order)
        best = _smaller(best, _Plan(parts, free, placed))
        return placed.nbytes

    least = least_bytes(free, bound, best.placed.nbytes, attempt)
    for plan in (best, plans[0]):
        if best.placed.nbytes > least:
            best = _smaller(best, plan.improved(least))
    offsets = {
        part.buffer.name: offset
        for storage, offset in zip(best.parts, best.placed.offsets, strict=True)
        for part in storage.parts
    }
    return Arena(best.placed.nbytes, offsets, bound, tick, tuple(best.parts), least)


def tick_loads(parts: Sequence[Storage], shared: Sequence[Sharing] = ()) -> Mapping[int, int]:
    """Bytes in use at each tick where something is, if buffers on their own may share so."""
    loads: dict[int, int] = {}
    for storage in parts:
        extents: dict[int, int] = {}
        for part in storage.parts:
            for start, end in part.live:
                for tick in range(start, end + 1):
                    extents[tick] = max(part.nbytes, extents.get(tick, 0))
        for tick, extent in extents.items():
            loads[tick] = loads.get(tick, 0) + extent
    sizes = {p.buffer.name: p.nbytes for s in parts for p in s.parts}
    saved: dict[tuple[int, str], int] = {}
    for s in shared:  # an output lies over one source at most
        most = saved.get((s.tick, s.output), 0)
        saved[s.tick, s.output] = max(most, s.saved(sizes[s.output], sizes[s.source]))
    for (tick, _), nbytes in saved.items():
        loads[tick] -= nbytes
    return loads


def _peak(parts: Sequence[Storage], shared: Sequence[Sharing]) -> tuple[int, int]:
    """The largest load, and the first tick that has it."""
    loads = ((n, t) for t, n in tick_loads(parts, shared).items())
    return max(loads, key=lambda pair: (pair[0], -pair[1]), default=(0, 0))
