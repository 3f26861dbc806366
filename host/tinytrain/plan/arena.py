"""Offsets in the arena: place storages one after the other, each as low as it fits.

Several orders are tried and the best is kept; the result is compared with the lower bound, the
largest sum of storages that are alive at one tick.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tinytrain.plan.lifetime import Storage


@dataclass(frozen=True, slots=True)
class Arena:
    """nbytes of arena, offsets by buffer name, the lower bound and the tick where it is reached."""

    nbytes: int
    offsets: Mapping[str, int]
    lower_bound: int
    peak_tick: int
    storages: tuple[Storage, ...]


def plan_arena(storages: Sequence[Storage]) -> Arena:
    """Place all storages; deterministic."""
    best: dict[int, int] = {}
    best_size = -1
    for order in _orders(storages):
        offsets = _place(storages, order)
        size = max((offsets[i] + storages[i].nbytes for i in order), default=0)
        if best_size < 0 or size < best_size:
            best, best_size = offsets, size
    bound, tick = _lower_bound(storages)
    named = {b.name: best[i] for i, s in enumerate(storages) for b in s.buffers}
    return Arena(max(best_size, 0), named, bound, tick, tuple(storages))


def _orders(storages: Sequence[Storage]) -> list[list[int]]:
    def duration(s: Storage) -> int:
        return sum(b - a + 1 for a, b in s.live)

    keys: list[Callable[[int], tuple[int, ...]]] = [
        lambda i: (-storages[i].nbytes, -duration(storages[i]), i),
        lambda i: (-duration(storages[i]), -storages[i].nbytes, i),
        lambda i: (-storages[i].nbytes * duration(storages[i]), i),
        lambda i: (storages[i].live[0][0], -storages[i].nbytes, i),
        lambda i: (-storages[i].live[-1][1], -storages[i].nbytes, i),
    ]
    return [sorted(range(len(storages)), key=key) for key in keys]


def _place(storages: Sequence[Storage], order: Sequence[int]) -> dict[int, int]:
    offsets: dict[int, int] = {}
    for i in order:
        taken = sorted(
            (offsets[j], offsets[j] + storages[j].nbytes)
            for j in offsets
            if storages[i].overlaps(storages[j])
        )
        at = 0
        for start, end in taken:
            if at + storages[i].nbytes <= start:
                break
            at = max(at, end)
        offsets[i] = at
    return offsets


def _lower_bound(storages: Sequence[Storage]) -> tuple[int, int]:
    """Largest sum of live bytes, and the first tick that reaches it."""
    starts = sorted({a for s in storages for a, _ in s.live})
    sums = [
        (sum(s.nbytes for s in storages if any(a <= t <= b for a, b in s.live)), t) for t in starts
    ]
    return max(sums, key=lambda pair: (pair[0], -pair[1]), default=(0, 0))
