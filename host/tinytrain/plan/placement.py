"""Offsets of storages: each as low as it fits, in some order; and the search for the best order.

Two storages whose parts are alive together keep away from each other: their distance must lie
outside certain open intervals. Storages of one part each have an exact search: some order, each
storage as low as it fits, gives the best placement there is, so branch and bound over orders with
ascending offsets finds it. All searches are bounded by counts, never by time, so a plan is the same
everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

from tinytrain.plan.lifetime import Storage

ROUNDS = 12  # of a heuristic order, each begun with what stood highest in the one before
SHUFFLES = 30_000  # storages placed after random exchanges, where the bound is not reached
TRIED = 20_000  # offsets looked at by branch and bound
EXACT = 30  # storages at most for branch and bound

Interval = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Placement:
    """Bytes needed, offset of each storage, and whether it is proven that no fewer do."""

    nbytes: int
    offsets: tuple[int, ...]
    optimal: bool


def place(storages: Sequence[Storage], bound: int) -> Placement:
    """The best offsets found; bound: what no placement can be below."""
    rivals = _rivals(storages)
    sizes = [s.nbytes for s in storages]
    tried = []
    for order in _orders(storages):
        tried.append(_rounds(sizes, rivals, order, bound))
        if tried[-1][0] == bound:
            break
    size, offsets = min(tried, key=lambda pair: pair[0])
    optimal = size == bound
    if not optimal and len(storages) <= EXACT and all(len(s.parts) == 1 for s in storages):
        size, offsets, optimal = _branch_and_bound(sizes, rivals, (size, offsets), bound)
    if not optimal:
        size, offsets = _shuffled(sizes, rivals, (size, offsets), bound)
    return Placement(size, tuple(offsets), optimal or size == bound)


Rivals = Sequence[Sequence[tuple[int, Sequence[Interval]]]]
"""For each storage: those it must keep away from, and the open intervals that its offset, less
theirs, must avoid."""


def _rivals(storages: Sequence[Storage]) -> Rivals:
    found: list[list[tuple[int, Sequence[Interval]]]] = [[] for _ in storages]
    for i, one in enumerate(storages):
        for j, other in enumerate(storages[:i]):
            avoid = [
                (q.at - p.end, q.end - p.at)
                for p, q in product(one.parts, other.parts)
                if p.meets(q)
            ]
            if avoid:
                found[i].append((j, avoid))
                found[j].append((i, [(-high, -low) for low, high in avoid]))
    return found


def _lowest(i: int, rivals: Rivals, offsets: Sequence[int]) -> int:
    """The lowest offset of storage i beside those that are placed (offset not negative)."""
    taken = sorted(
        (offsets[j] + low, offsets[j] + high)
        for j, avoid in rivals[i]
        if offsets[j] >= 0
        for low, high in avoid
    )
    at = 0
    for low, high in taken:
        if at <= low:
            break
        at = max(at, high)
    return at


def _fill(sizes: Sequence[int], rivals: Rivals, order: Sequence[int]) -> tuple[int, list[int]]:
    offsets = [-1] * len(sizes)
    for i in order:
        offsets[i] = _lowest(i, rivals, offsets)
    return max((o + n for o, n in zip(offsets, sizes, strict=True)), default=0), offsets


def _rounds(
    sizes: Sequence[int], rivals: Rivals, order: list[int], bound: int
) -> tuple[int, list[int]]:
    """Each round begins with what stood highest in the one before."""
    best: tuple[int, list[int]] | None = None
    for _ in range(ROUNDS):
        size, offsets = _fill(sizes, rivals, order)
        if best is None or size < best[0]:
            best = size, offsets
        if size <= bound:
            break
        highest = max(order, key=lambda i: (offsets[i] + sizes[i], i))
        order = [highest, *(i for i in order if i != highest)]
    assert best is not None
    return best


def _orders(storages: Sequence[Storage]) -> list[list[int]]:
    durations = [sum(b - a + 1 for a, b in s.live) for s in storages]
    sizes, lives = [s.nbytes for s in storages], [s.live for s in storages]
    keys: list[Callable[[int], tuple[int, ...]]] = [
        lambda i: (-sizes[i], -durations[i], i),
        lambda i: (-durations[i], -sizes[i], i),
        lambda i: (-sizes[i] * durations[i], i),
        lambda i: (lives[i][0][0], -sizes[i], i),
        lambda i: (-lives[i][-1][1], -sizes[i], i),
    ]
    return [sorted(range(len(storages)), key=key) for key in keys]


def _shuffled(
    sizes: Sequence[int], rivals: Rivals, best: tuple[int, list[int]], bound: int
) -> tuple[int, list[int]]:
    """Move what ends above the bound, or anything, to another place in the order; keep what is not
    worse; a fixed pseudo-random sequence."""
    size, offsets = best
    order = sorted(range(len(sizes)), key=lambda i: (offsets[i], i))
    seed = 1
    for turn in range(SHUFFLES // max(1, len(order))):
        if size <= bound or len(order) < 2:
            break
        seed = seed * 1103515245 + 12345 & 0x7FFFFFFF
        high = [i for i in order if offsets[i] + sizes[i] > bound]
        moved = high[(seed >> 8) % len(high)] if turn % 3 else order[(seed >> 8) % len(order)]
        changed = [i for i in order if i != moved]
        changed.insert((seed >> 16) % len(order), moved)
        other, there = _fill(sizes, rivals, changed)
        if other <= size:
            size, offsets, order = other, there, changed
    return size, offsets


def _branch_and_bound(
    sizes: Sequence[int], rivals: Rivals, best: tuple[int, list[int]], bound: int
) -> tuple[int, list[int], bool]:
    """The best placement, and whether the search came to its end within TRIED."""
    size, offsets = best
    current = [-1] * len(sizes)
    left = TRIED

    def descend(level: int, floor: int, top: int) -> None:
        nonlocal size, offsets, left
        left -= len(sizes) - level
        if level == len(sizes):
            size, offsets = top, list(current)
            return
        lowest = {i: _lowest(i, rivals, current) for i, o in enumerate(current) if o < 0}
        # whatever is not placed yet comes at `floor` or above
        if any(max(at, floor) + sizes[i] >= size for i, at in lowest.items()):
            return
        ends = [at + sizes[i] for i, at in lowest.items() if at >= floor and sizes[i]]
        first = min(ends, default=0)
        for i in sorted(lowest, key=lambda i: (lowest[i], -sizes[i], i)):
            at = lowest[i]
            # what fits wholly below could move there
            if at < floor or at >= first > 0:
                continue
            if left <= 0 or size <= bound:
                return
            current[i] = at
            descend(level + 1, at, max(top, at + sizes[i]))
            current[i] = -1

    descend(0, 0, 0)
    return size, offsets, left > 0 or size <= bound
