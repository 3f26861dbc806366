"""Whether storages fit below a limit: a search over which of two rivals lies below the other.

Each storage has a least and a largest offset. Of two rivals, one may not fit below the other
within these; then the other order is the only one, and narrows them. Where nothing follows any
more, a pair that is not decided is tried both ways. That outputs which overlap their input can be
at some distances only is left aside: what does not fit without that does not fit with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from tinytrain.plan.conflicts import Conflicts

NODES = 1000  # of a search tree
STEPS = 150_000  # nodes times pairs

Pair = tuple[int, int, int, int]
"""Storages i and j; how far i begins below j if it is below, and above j if it is above."""


def least_bytes(
    c: Conflicts, bound: int, nbytes: int, place: Callable[[Sequence[int]], int]
) -> int:
    """What no placement can be below, `bound` or more; `nbytes` if that is proven to be the best.

    place: places the storages with the help of least offsets, and returns how many bytes it takes;
    it is called for what may fit, and may find placements below `nbytes`.
    """
    low, high = bound, nbytes
    while low < high:
        limit = (low + high) // 2 // 4 * 4
        search = _Search(c, limit, place)
        fits = search.run()
        high = min(high, search.best)
        if fits is None or (fits and high > limit):
            break
        low = low if fits else limit + 4
    return min(low, high)


@dataclass(slots=True)
class _Node:
    """Least and largest offsets; of each pair, whether its first (1) or second (2) lies below."""

    low: list[int]
    high: list[int]
    decided: list[int]

    def copy(self) -> _Node:
        return _Node(list(self.low), list(self.high), list(self.decided))


class _Search:
    """One limit; best: bytes of the best placement seen."""

    def __init__(self, c: Conflicts, limit: int, place: Callable[[Sequence[int]], int]) -> None:
        self.sizes, self.limit, self.place = c.sizes, limit, place
        self.pairs: list[Pair] = [
            (i, j, below, above)
            for i, rivals in enumerate(c.rivals)
            for j, below, above in rivals
            if j < i
        ]
        self.of: list[list[int]] = [[] for _ in c.sizes]
        for k, (i, j, _, _) in enumerate(self.pairs):
            self.of[i].append(k)
            self.of[j].append(k)
        self.left = min(NODES, STEPS // max(1, len(self.pairs)))
        self.best = sum(c.sizes)

    def run(self) -> bool | None:
        """Whether the storages fit; None if that is not known."""
        high = [self.limit - n for n in self.sizes]
        if min(high, default=0) < 0:
            return False
        node = _Node([0] * len(high), high, [0] * len(self.pairs))
        return self._descend(node, range(len(high)))

    def _descend(self, node: _Node, changed: Iterable[int]) -> bool | None:
        if self.left <= 0:
            return None
        self.left -= 1
        if not self._narrow(node, changed):
            return False
        self.best = min(self.best, self.place(node.low))
        if self.best <= self.limit:
            return True
        choice = self._choose(node)
        if choice is None:  # fits, but for the distances that are left aside
            return None
        k, ways = choice
        for way in ways:
            child = node.copy()
            child.decided[k] = way
            fits = self._descend(child, self.pairs[k][:2])
            if fits is not False:
                return fits
        return False

    def _choose(self, node: _Node) -> tuple[int, tuple[int, int]] | None:
        """The pair with the least room, and its two ways, the roomier one first."""
        best: tuple[int, int, int] | None = None
        ways = (1, 2)
        for k, (i, j, below, above) in enumerate(self.pairs):
            if node.decided[k]:
                continue
            first = node.high[j] - node.low[i] - below
            second = node.high[i] - node.low[j] - above
            key = (min(first, second), max(first, second), k)
            if best is None or key < best:
                best, ways = key, (1, 2) if first >= second else (2, 1)
        return None if best is None else (best[2], ways)

    def _narrow(self, node: _Node, changed: Iterable[int]) -> bool:
        """Draw all conclusions from changed offsets; False if nothing fits."""
        low, high, decided = node.low, node.high, node.decided
        queue = list(changed)
        while queue:
            s = queue.pop()
            for k in self.of[s]:
                i, j, gap, above = self.pairs[k]
                way = decided[k]
                if not way:
                    first, second = low[i] + gap <= high[j], low[j] + above <= high[i]
                    if first and second:
                        continue
                    if not first and not second:
                        return False
                    way = decided[k] = 1 if first else 2
                if way == 2:
                    i, j, gap = j, i, above
                if low[i] + gap > low[j]:
                    low[j] = low[i] + gap
                    queue.append(j)
                if high[j] - gap < high[i]:
                    high[i] = high[j] - gap
                    queue.append(i)
                if low[j] > high[j] or low[i] > high[i]:
                    return False
        return True
