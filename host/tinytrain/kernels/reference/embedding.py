"""Rows of a table chosen by indices, their gradients, and the updates of the rows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tinytrain.kernels.header import declarations
from tinytrain.kernels.memory import Bytes, grad_exponent, view
from tinytrain.kernels.reference.arithmetic import Array, Ints, Params, int32, ints
from tinytrain.kernels.reference.batch import accumulate, accumulates
from tinytrain.kernels.reference.gradient import mantissas
from tinytrain.kernels.reference.optimizer import Fractions, Mover, Rate
from tinytrain.kernels.reference.update import deltas, subtract


def embedding_s8(p: Params, x: Array, w: Array, y: Array) -> None:
    """y[n] = w[x[n]]."""
    indices = view(x, np.int32, (p["count"],))
    view(y, np.int8, (p["count"], p["depth"]))[...] = _table(p, w)[indices]


def embedding_bwd_weight(
    p: Params,
    dy: Bytes,
    x: Array,
    rate: Bytes | None,
    step_mantissa: Array,
    step_exponent: Array,
    w: Array,
    fraction: Array,
    d: Array,
) -> None:
    """All sums to d, or the update of the rows that x chooses."""
    sums = _sums(p, dy, x)
    if rate is None:
        view(d, np.int32, sums.shape)[...] = sums
        return
    table, fractions = _table(p, w), _table(p, fraction)
    mantissa = view(step_mantissa, np.uint16, (1,))
    exponent = ints(view(step_exponent, np.int8, (1,))) + grad_exponent(dy)
    for row in _chosen(p, x):
        delta = deltas(rate, mantissa, exponent, sums[row : row + 1])[0]
        subtract(delta, table[row], fractions[row], 127)


def embedding_bwd_weight__optimizer(
    p: Params,
    dy: Bytes,
    x: Array,
    rate: Bytes,
    step_mantissa: Array,
    step_exponent: Array,
    w: Array,
    fraction: Array | None,
    velocity: Array | None,
    d: Array,
) -> None:
    """The rows that x chooses, then the others where these move as well."""
    del d
    g, how, numbers = p["gradient"], p["trained"]["optimizer"], Rate.read(rate)
    sums, table, depth = _sums(g, dy, x), _table(g, w), g["depth"]
    planes = None if velocity is None else view(velocity, np.int16, (table.size,))
    fractions = Fractions(fraction, how["fraction_bits"])
    move = Mover(how, numbers, numbers.lr, fractions, planes, False)
    exponent = int(view(step_exponent, np.int8, (1,))[0]) + grad_exponent(dy)
    factor = int(view(step_mantissa, np.uint16, (1,))[0]), exponent
    rows = list(_chosen(g, x))
    if velocity is not None:
        rows += [row for row in range(g["rows"]) if row not in rows]
    for row in rows:
        for i in range(depth):
            value = int(table[row, i])
            table[row, i] = move(row * depth + i, int(sums[row, i]), factor, value)
    numbers.write(rate)


def embedding_bwd_weight__batch(
    p: Params,
    dy: Bytes,
    x: Array,
    rate: Bytes,
    step_mantissa: Array,
    step_exponent: Array,
    w: Array,
    fraction: Array | None,
    velocity: Array | None,
    sums: Bytes,
    d: Array,
) -> None:
    """Add up the gradients of the rows that x chooses, or update."""
    factors = step_mantissa, step_exponent
    if not accumulates(rate):
        embedding_bwd_weight__optimizer(p, dy, x, rate, *factors, w, fraction, velocity, d)
        return
    if grad_exponent(dy) == declarations().constants["TT_ZERO_EXPONENT"]:
        return
    g = p["gradient"]
    found, depth = _sums(g, dy, x), g["depth"]
    for row in _chosen(g, x):
        accumulate(sums, found.size, rate, found[row], row * depth, grad_exponent(dy))


def _table(p: Params, memory: Array) -> Array:
    return view(memory, np.int8, (p["rows"], p["depth"]))


def _chosen(p: Params, x: Array) -> Iterator[int]:
    """The rows that x chooses, in the order in which it first names them."""
    return iter(dict.fromkeys(int(row) for row in view(x, np.int32, (p["count"],))))


def _sums(p: Params, dy: Bytes, x: Array) -> Ints:
    """The gradient of each row [rows, depth]."""
    g = mantissas(dy, (p["count"], p["depth"]))
    indices = view(x, np.int32, (p["count"],))
    result, sizes = np.zeros((2, p["rows"], p["depth"]), np.int64)
    np.add.at(result, indices, g)
    np.add.at(sizes, indices, np.abs(g))
    int32(sizes, "the sum of a row")
    return result
