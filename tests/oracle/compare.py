"""How close two sets of gradients are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Gradients = Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Closeness:
    """Cosine and ratio of norms (ours / oracle) of one parameter's gradients; both 1 where both
    gradients are zero."""

    name: str
    cosine: float
    ratio: float

    def within(self, cosine: float = 0.99, ratio: float = 0.05) -> bool:
        return self.cosine >= cosine and abs(self.ratio - 1) <= ratio


def closeness(ours: Gradients, oracle: Gradients) -> Iterator[Closeness]:
    """Each parameter's closeness; the names must be the same."""
    assert set(ours) == set(oracle)
    for name, expected in oracle.items():
        u, v = ours[name].reshape(-1), expected.reshape(-1)
        norms = float(np.linalg.norm(u)), float(np.linalg.norm(v))
        if min(norms) == 0:
            same = float(norms[0] == norms[1])
            yield Closeness(name, same, same)
        else:
            yield Closeness(name, float(u @ v) / (norms[0] * norms[1]), norms[0] / norms[1])


def worst(ours: Gradients, oracle: Gradients, **bounds: float) -> list[Closeness]:
    """Those out of bounds; empty is good."""
    return [c for c in closeness(ours, oracle) if not c.within(**bounds)]
