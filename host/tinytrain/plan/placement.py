"""Offsets of storages: each as low as it fits, in some order; and the search for the best order.

Two storages that are in memory together keep a distance: one lies above the other, by the other's
size, or by less where an output may overlap its input (then only some distances are possible). All
searches are bounded by counts, never by time, so a plan is the same everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tinytrain.plan.conflicts import Conflicts

ROUNDS = 12  # of a heuristic order, each begun with what stood highest in the one before
SHUFFLES = 30_000  # storages placed after random exchanges, where the bound is not reached


@dataclass(frozen=True, slots=True)
class Placement:
    """Bytes needed, and the offset of each storage."""

    nbytes: int
    offsets: tuple[int, ...]


def place(conflicts: Conflicts, bound: int) -> Placement:
    """The best offsets found; bound: what no placement can be below."""
    tried = (_rounds(conflicts, order, bound) for order in _orders(conflicts))
    best: Found | None = None
    for found in tried:
        best = found if best is None or found[0] < best[0] else best
        if best[0] <= bound:
            break
    assert best is not None
    return Placement(best[0], tuple(best[1]))


def place_in_order(conflicts: Conflicts, order: Sequence[int]) -> Placement:
    """One storage after the other, each as low as it fits."""
    size, offsets = _fill(conflicts, order)
    return Placement(size, tuple(offsets))


def improved(c: Conflicts, placed: Placement, bound: int) -> Placement:
    """Move what ends above the bound, or anything, to another place in the order; keep what is not
    worse; a fixed pseudo-random sequence."""
    size, offsets = placed.nbytes, list(placed.offsets)
    order = sorted(range(len(c.sizes)), key=lambda i: (offsets[i], i))
    seed = 1
    for turn in range(SHUFFLES // max(1, len(order))):
        if size <= bound or len(order) < 2:
            break
        seed = seed * 1103515245 + 12345 & 0x7FFFFFFF
        high = [i for i in order if offsets[i] + c.sizes[i] > bound]
        moved = high[(seed >> 8) % len(high)] if turn % 3 else order[(seed >> 8) % len(order)]
        changed = [i for i in order if i != moved]
        changed.insert((seed >> 16) % len(order), moved)
        other, there = _fill(c, changed)
        if other <= size:
            size, offsets, order = other, there, changed
    return Placement(size, tuple(offsets))


Found = tuple[int, list[int]]
"""Bytes and offsets."""


def _lowest(i: int, c: Conflicts, offsets: Sequence[int]) -> int:
    """The lowest offset of storage i beside those that are placed (offset not negative)."""
    taken = sorted(
        (offsets[j] - below, offsets[j] + above)
        for j, below, above in c.rivals[i]
        if offsets[j] >= 0
    )
    at = 0
    while True:
        for low, high in taken:
            if at <= low:
                break
            at = max(at, high)
        possible = max((g.next(i, at, offsets) for g in c.grids[i]), default=at)
        if possible == at:
            return at
        at = possible


def _fill(c: Conflicts, order: Sequence[int]) -> Found:
    offsets = [-1] * len(c.sizes)
    for i in order:
        offsets[i] = _lowest(i, c, offsets)
    return max((o + n for o, n in zip(offsets, c.sizes, strict=True)), default=0), offsets


def _rounds(c: Conflicts, order: list[int], bound: int) -> Found:
    """Each round begins with what stood highest in the one before."""
    best: Found | None = None
    for _ in range(ROUNDS):
        size, offsets = _fill(c, order)
        if best is None or size < best[0]:
            best = size, offsets
        if size <= bound:
            break
        highest = max(order, key=lambda i: (offsets[i] + c.sizes[i], i))
        order = [highest, *(i for i in order if i != highest)]
    assert best is not None
    return best


def _orders(c: Conflicts) -> list[list[int]]:
    durations = [sum(b - a + 1 for a, b in live) for live in c.lives]
    sizes, lives = c.sizes, c.lives
    keys: list[Callable[[int], tuple[int, ...]]] = [
        lambda i: (-sizes[i], -durations[i], i),
        lambda i: (-durations[i], -sizes[i], i),
        lambda i: (-sizes[i] * durations[i], i),
        lambda i: (lives[i][0][0], -sizes[i], i),
        lambda i: (-lives[i][-1][1], -sizes[i], i),
    ]
    return [sorted(range(len(sizes)), key=key) for key in keys]
