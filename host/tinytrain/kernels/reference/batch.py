"""Sums of gradients over the examples of a batch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tinytrain.kernels.header import declarations
from tinytrain.kernels.memory import Bytes, grad_exponent, view
from tinytrain.kernels.reference.arithmetic import Array, Params, ints
from tinytrain.kernels.reference.bias import bias_bwd
from tinytrain.kernels.reference.conv2d import conv2d_bwd_weight
from tinytrain.kernels.reference.depthwise_conv2d import depthwise_conv2d_bwd_weight
from tinytrain.kernels.reference.optimizer import (
    RATE_WORDS,
    Rate,
    WeightGradient,
    bias_bwd__optimizer,
    conv2d_bwd_weight__optimizer,
    depthwise_conv2d_bwd_weight__optimizer,
    floor_dithered,
    sums_of,
    update_biases,
    update_weights,
)

SUM_LIMIT = 2**30 - 1


def accumulate(sums: Bytes, size: int, rate: Bytes, d: Array, at: int, exponent: int) -> None:
    """Add a row d * 2^exponent at position `at`; sums stay below 2^30, so all may be halved."""
    zero = declarations().constants["TT_ZERO_EXPONENT"]
    head, plane = sums[:4].view(np.int32), view(sums[4:], np.int32, (size,))
    if head[0] == zero:
        head[0] = exponent
    numbers = Rate.read(rate)
    row = plane[at : at + d.size]
    most, step = int(np.abs(ints(row)).max()), int(np.abs(ints(d)).max())
    up, shift = exponent - int(head[0]), 0
    while not _room((most >> shift) + (shift > 0), step, up - shift):
        shift += 1
    if shift:
        plane[:] = [floor_dithered(int(a), shift, numbers.next()) for a in plane]
        head[0] += shift
    up -= shift
    for i, value in enumerate(d):
        row[i] += int(value) << up if up >= 0 else floor_dithered(int(value), -up, numbers.next())
    numbers.write(rate)


def _room(most: int, step: int, up: int) -> bool:
    room = SUM_LIMIT - most
    if step == 0:
        return True
    return step << up <= room if up > 0 else (step >> -up) < room


def accumulates(rate: Bytes) -> bool:
    """Whether gradients are added up rather than applied."""
    return bool(view(rate, np.int32, (RATE_WORDS,))[6])


def _batch(
    gradient: WeightGradient, optimize: Callable[..., None], name: str
) -> Callable[..., None]:
    """The kernel that adds up what `gradient` gives, or updates with it."""

    def kernel(
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
        if not accumulates(rate):
            optimize(p, dy, x, rate, step_mantissa, step_exponent, w, fraction, velocity, d)
            return
        total = sums_of(gradient, p, dy, x, w)
        if grad_exponent(dy) == declarations().constants["TT_ZERO_EXPONENT"]:
            return
        row = p["trained"]["groups"] * p["trained"]["run"]
        unit = grad_exponent(dy) + p["gradient"]["row_shift"]
        for at in range(0, total.size, row):
            accumulate(sums, total.size, rate, total[at : at + row], at, unit)

    kernel.__name__ = name
    return kernel


conv2d_bwd_weight__batch = _batch(
    conv2d_bwd_weight, conv2d_bwd_weight__optimizer, "conv2d_bwd_weight__batch"
)
depthwise_conv2d_bwd_weight__batch = _batch(
    depthwise_conv2d_bwd_weight,
    depthwise_conv2d_bwd_weight__optimizer,
    "depthwise_conv2d_bwd_weight__batch",
)


def bias_bwd__batch(
    p: Params,
    dy: Bytes,
    rate: Bytes,
    step_mantissa: Array,
    step_exponent: Array,
    bias: Array,
    fraction: Array | None,
    velocity: Array | None,
    sums: Bytes,
    d: Array,
) -> None:
    """Add the gradient up, or update."""
    if not accumulates(rate):
        bias_bwd__optimizer(p, dy, rate, step_mantissa, step_exponent, bias, fraction, velocity, d)
        return
    none = np.zeros(0)
    bias_bwd(p["gradient"], dy, None, none, none, none, none, d)
    if grad_exponent(dy) != declarations().constants["TT_ZERO_EXPONENT"]:
        n = p["gradient"]["channels"]
        accumulate(sums, n, rate, view(d, np.int32, (n,)), 0, grad_exponent(dy))


def _clear(sums: Bytes) -> None:
    sums[4:] = 0
    sums[:4].view(np.int32)[0] = declarations().constants["TT_ZERO_EXPONENT"]


def weight_apply(
    p: Params,
    sums: Bytes,
    count: int,
    rate: Bytes,
    step_mantissa: Array,
    step_exponent: Array,
    w: Array,
    fraction: Array | None,
    velocity: Array | None,
) -> None:
    """Update weights with sums / count, and clear the sums."""
    factors = (step_mantissa, step_exponent)
    total, unit = sums[4:].view(np.int32), grad_exponent(sums)
    update_weights(p, rate, count, total, unit, factors, w, fraction, velocity)
    _clear(sums)


def bias_apply(
    p: Params,
    sums: Bytes,
    count: int,
    rate: Bytes,
    step_mantissa: Array,
    step_exponent: Array,
    bias: Array,
    fraction: Array | None,
    velocity: Array | None,
) -> None:
    """Update biases with sums / count, and clear the sums."""
    factors = (step_mantissa, step_exponent)
    total, unit = sums[4:].view(np.int32), grad_exponent(sums)
    update_biases(p, rate, count, total, unit, factors, bias, fraction, velocity)
    _clear(sums)
