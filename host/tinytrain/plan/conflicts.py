"""Which storages are in memory together, and how far apart they have to be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from tinytrain.plan.lifetime import Sharing, Spans, Storage

Rival = tuple[int, int, int]
"""A storage j, how far below j and how far above j another has to begin."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Distances of an output below its input at which both overlap: lead, lead + step, ... (step 0:
    lead alone); from `apart` on any."""

    output: int
    source: int
    lead: int
    step: int
    apart: int

    def next(self, i: int, at: int, offsets: Sequence[int]) -> int:
        """The least offset from `at` on for the one of the two that is i."""
        there = offsets[self.source if i == self.output else self.output]
        distance = there - at if i == self.output else at - there
        if there < 0 or not self.lead < distance < self.apart:
            return at
        over = distance - self.lead
        over = over % self.step if self.step else over
        if i == self.output or over == 0:
            return at + over
        to_apart = self.apart - distance
        return at + (min(self.step - over, to_apart) if self.step else to_apart)


@dataclass(frozen=True, slots=True)
class Conflicts:
    """Of storages, by number: bytes, lives, those that each must keep away from, and the grids."""

    sizes: tuple[int, ...]
    lives: tuple[Spans, ...]
    rivals: tuple[tuple[Rival, ...], ...]
    grids: tuple[tuple[Grid, ...], ...]


def conflicts(storages: Sequence[Storage], shared: Sequence[Sharing] = ()) -> Conflicts:
    """What the storages demand of each other if these buffers may overlap."""
    chance = {(s.output, s.source): s for s in shared}
    rivals: list[list[Rival]] = [[] for _ in storages]
    grids: list[list[Grid]] = [[] for _ in storages]
    for i, one in enumerate(storages):
        for j, other in enumerate(storages[:i]):
            below = above = 0
            for p, q in product(one.parts, other.parts):
                if not p.meets(q):
                    continue
                down, up = p.nbytes, q.nbytes
                if s := chance.get((p.buffer.name, q.buffer.name)):
                    grid = Grid(i, j, s.lead, s.step, down)
                    down = min(down, s.lead)
                elif s := chance.get((q.buffer.name, p.buffer.name)):
                    grid = Grid(j, i, s.lead, s.step, up)
                    up = min(up, s.lead)
                if s:
                    grids[i].append(grid)
                    grids[j].append(grid)
                below, above = max(below, down), max(above, up)
            if below or above:
                rivals[i].append((j, below, above))
                rivals[j].append((i, above, below))
    return Conflicts(
        tuple(s.nbytes for s in storages),
        tuple(s.live for s in storages),
        tuple(tuple(r) for r in rivals),
        tuple(tuple(g) for g in grids),
    )
