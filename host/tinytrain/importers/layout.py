"""Where the elements of a file's tensor lie in a tensor of the graph.

RESHAPE and TRANSPOSE move no data here: they give another view of the same elements. A view that
was transposed keeps the place of each of its elements; ops that need a certain order ask for it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A tensor of the file as a view of a tensor of the graph.

    shape: as in the file. order: for each element in the file's order, its place in the graph's
    tensor (int32, of `shape`); None if the two orders are the same.
    """

    tensor: str
    shape: tuple[int, ...]
    order: NDArray[np.int32] | None = None

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    def places(self) -> NDArray[np.int32]:
        """The place of every element, [*shape]."""
        if self.order is not None:
            return self.order
        return np.arange(self.size, dtype=np.int32).reshape(self.shape)

    def same_order(self, other: View) -> bool:
        """Whether the two views list their elements in the same order of places."""
        if self.order is None and other.order is None:
            return self.size == other.size
        return np.array_equal(self.places().reshape(-1), other.places().reshape(-1))


def reshape(view: View, shape: tuple[int, ...]) -> View:
    """The same elements in the same order under another shape of the same size."""
    order = view.order
    return View(view.tensor, shape, None if order is None else order.reshape(shape))


def transpose(view: View, permutation: Sequence[int]) -> View:
    """Axis i of the result is axis permutation[i] of the view."""
    shape = tuple(view.shape[axis] for axis in permutation)
    order = view.places().transpose(permutation)
    return View(view.tensor, shape, _unless_identity(order))


def rename(view: View, tensor: str) -> View:
    """The same order over another tensor of the graph."""
    return View(tensor, view.shape, view.order)


@dataclass(frozen=True, slots=True, eq=False)
class Reduction:
    """A reduction over the middle one of three axes, and the order of its output.

    order: as in View, for the axes that are left.
    """

    outer: int
    count: int
    inner: int
    order: NDArray[np.int32] | None


def reduction(view: View, axes: frozenset[int]) -> Reduction | None:
    """How a reduction over `axes` of the view looks in the graph's tensor.

    None if it is not one over the middle of three axes there.
    """
    kept = [axis for axis in range(len(view.shape)) if axis not in axes]
    count = math.prod(view.shape[axis] for axis in axes)
    places = view.places().transpose([*kept, *sorted(axes)]).reshape(-1, count)
    groups = np.sort(places, axis=1)
    # All groups must be base, base + inner, base + 2 * inner, ... with the same inner.
    inner = int(groups[0, 1] - groups[0, 0]) if count > 1 else view.size
    first = groups[:, 0]
    if not np.array_equal(groups, first[:, None] + np.arange(count, dtype=np.int32) * inner):
        return None
    outer, within = np.divmod(first, count * inner)
    if view.size % (count * inner) or np.any(within >= inner):
        return None
    order = (outer * inner + within).reshape([view.shape[axis] for axis in kept])
    return Reduction(
        view.size // (count * inner), count, inner, _unless_identity(order.astype(np.int32))
    )


def column_order(view: View, columns: int) -> NDArray[np.int32] | None:
    """For rows of `columns` elements: the place within its row of each element [columns].

    None if rows or columns are mixed up beyond one permutation of the columns.
    """
    rows = view.places().reshape(-1, columns)
    starts = np.arange(rows.shape[0], dtype=np.int32)[:, None] * columns
    order: NDArray[np.int32] = rows[0]
    return order if np.array_equal(rows, starts + order) else None


def _unless_identity(order: NDArray[np.int32]) -> NDArray[np.int32] | None:
    flat = order.reshape(-1)
    return None if np.array_equal(flat, np.arange(flat.size, dtype=np.int32)) else order
