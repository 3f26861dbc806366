"""The order of calls: the one with the lowest peak among all that compute the same bits.

What is in use between calls depends only on the set of calls that have run. So an order is a path
from the empty set to the full one, and the best order is the path whose worst call is the least:
best-first search finds it. A call that ends with no more bytes in use than before, and during which
the peak so far is not exceeded, runs at once: whatever comes later has at least as much room.
Models are chains with few branches, so there are few sets; where there are too many, beam search
takes over, and the result may not be the best.

Orders are compared by bytes in use, with in-place work wherever the dying input allows it; what
placement adds to that is the business of the arena.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from heapq import heappop, heappush

from tinytrain.ir.program import KernelCall, Program
from tinytrain.plan.load import Done, Load

SETS = 20_000  # for best-first search, of which each is looked at once
BEAM = 48  # sets kept at each step, where those are too many


@dataclass(frozen=True, slots=True)
class Ordered:
    """A program in its best order.

    bound: no order needs fewer bytes than this at its peak. exact: whether that is proven.
    """

    program: Program
    bound: int
    exact: bool


def reorder(program: Program) -> Ordered:
    """The program with its calls in the best order; in the given one if none is better."""
    predict, step = best_order(program.predict, program), best_order(program.step, program)
    return Ordered(
        replace(
            program,
            predict=tuple(program.predict[i] for i in predict.order),
            step=tuple(program.step[i] for i in step.order),
        ),
        max(predict.peak, step.peak),
        predict.exact and step.exact,
    )


@dataclass(frozen=True, slots=True)
class Order:
    """Numbers of the calls, bytes at the peak, and whether no order has fewer."""

    order: tuple[int, ...]
    peak: int
    exact: bool


def best_order(calls: Sequence[KernelCall], program: Program) -> Order:
    """The best order of the calls of one phase."""
    load = Load(calls, program)
    given = tuple(range(len(calls)))
    peak = load.peak(given)
    found = _best_first(load)
    exact = found is not None
    found = found or _beam(load)
    # the given order updates a weight as soon as it can
    if found.peak >= peak:
        return Order(given, peak, exact)
    return Order(found.order(), found.peak, exact)


@dataclass(frozen=True, slots=True)
class _Path:
    """Calls that have run, in order; bytes in use after them and at the peak."""

    done: Done
    used: int
    peak: int
    last: tuple[int, ...] = ()
    before: _Path | None = None

    def order(self) -> tuple[int, ...]:
        """All calls of the path."""
        pieces, path = [], self
        while path.before is not None:
            pieces.append(path.last)
            path = path.before
        return tuple(i for piece in reversed(pieces) for i in piece)


def _best_first(load: Load) -> _Path | None:
    """The path with the least peak, or None if there are too many sets."""
    count = 0  # of equal paths the oldest comes first
    heap = [(0, 0, count, _Path(0, load.at_start, 0))]
    seen: set[Done] = set()
    while heap and len(seen) < SETS:
        path = heappop(heap)[3]
        if path.done == load.all:
            return path
        if path.done in seen:
            continue
        seen.add(path.done)
        for i in load.ready(path.done):
            longer = _run_free(load, _longer(load, path, i))
            if longer.done not in seen:
                count += 1
                heappush(heap, (longer.peak, -longer.done.bit_count(), count, longer))
    return None


def _longer(load: Load, path: _Path, i: int) -> _Path:
    during, after = load.run(i, path.done, path.used)
    return _Path(path.done | 1 << i, after, max(path.peak, during), (i,), path)


def _run_free(load: Load, path: _Path) -> _Path:
    """Run every call that costs nothing."""
    done, used, taken, before = path.done, path.used, list(path.last), -1
    while before != done:
        before = done
        for i in load.ready(done):
            during, after = load.run(i, done, used)
            if during <= path.peak and after <= used:
                done, used = done | 1 << i, after
                taken.append(i)
    return replace(path, done=done, used=used, last=tuple(taken))


def _beam(load: Load) -> _Path:
    """A good path: at each length the best few go on."""
    paths = [_Path(0, load.at_start, 0)]
    for _ in load.calls:
        longer: dict[Done, _Path] = {}
        for path in paths:
            for i in load.ready(path.done):
                new = _longer(load, path, i)
                old = longer.setdefault(new.done, new)
                if new.peak < old.peak:
                    longer[new.done] = new
        paths = sorted(longer.values(), key=lambda p: (p.peak, p.used))[:BEAM]
    return paths[0]
