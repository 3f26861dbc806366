"""Offsets in the arena: place storages one after the other, each as low as it fits.

Several orders are tried, each again with what ended highest moved to its front, and the best result
is kept. It is compared with the lower bound, the largest sum of storages alive at one tick.
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


ROUNDS = 12


def plan_arena(storages: Sequence[Storage]) -> Arena:
    """Place all storages; deterministic."""
    bound, tick = _lower_bound(storages)
    rivals = [
        [j for j, other in enumerate(storages) if j != i and one.overlaps(other)]
        for i, one in enumerate(storages)
    ]
    placed = [_best_of_rounds(storages, rivals, order, bound) for order in _orders(storages)]
    size, offsets = min(placed, key=lambda pair: pair[0])
    named = {b.name: offsets[i] for i, s in enumerate(storages) for b in s.buffers}
    return Arena(size, named, bound, tick, tuple(storages))


def _best_of_rounds(
    storages: Sequence[Storage], rivals: Sequence[Sequence[int]], order: list[int], bound: int
) -> tuple[int, dict[int, int]]:
    """Size and offsets; each round begins with what stood highest in the one before."""
    best: tuple[int, dict[int, int]] | None = None
    for _ in range(ROUNDS):
        offsets = _place(storages, rivals, order)
        size, highest = max(((offsets[i] + storages[i].nbytes, i) for i in order), default=(0, -1))
        if best is None or size < best[0]:
            best = size, offsets
        if size == bound:
            break
        order = [highest, *(i for i in order if i != highest)]
    assert best is not None
    return best


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


def _place(
    storages: Sequence[Storage], rivals: Sequence[Sequence[int]], order: Sequence[int]
) -> dict[int, int]:
    """Offsets, each as low as it fits; rivals: for each storage those alive beside it."""
    offsets: dict[int, int] = {}
    for i in order:
        taken = sorted(
            (offsets[j], offsets[j] + storages[j].nbytes) for j in rivals[i] if j in offsets
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
