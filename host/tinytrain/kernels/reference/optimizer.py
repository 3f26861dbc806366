"""Momentum, weight decay, and other precisions of weights."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tinytrain.kernels.memory import Bytes, grad_exponent, view
from tinytrain.kernels.reference.arithmetic import Array, Params
from tinytrain.kernels.reference.bias import bias_bwd
from tinytrain.kernels.reference.conv2d import conv2d_bwd_weight
from tinytrain.kernels.reference.depthwise_conv2d import depthwise_conv2d_bwd_weight
from tinytrain.kernels.reference.update import (
    DELTA_LIMIT,
    DITHER_PER_UPDATE,
    Factor,
    delta_of,
    rate_set,
    step_of,
)

WeightGradient = Callable[..., None]
"""conv2d_bwd_weight or depthwise_conv2d_bwd_weight."""

RATE_WORDS = 7
SUM_LIMIT = 2**30 - 1


def decay_set(rate: Bytes, float_bits: int) -> None:
    """As rate_set, into the fields of the decay."""
    factor = np.zeros(4 * RATE_WORDS, np.uint8)
    rate_set(factor, float_bits)
    view(rate, np.int32, (RATE_WORDS,))[3:5] = view(factor, np.int32, (RATE_WORDS,))[:2]


def momentum_set(rate: Bytes, float_bits: int) -> None:
    """Bits of an IEEE single below 1, to the nearest multiple of 2^-16, halves up."""
    value = float(np.array([float_bits], np.uint32).view(np.float32)[0])
    momentum = math.floor(value * 2**16 + 0.5) if value >= 2.0**-18 else 0
    view(rate, np.int32, (RATE_WORDS,))[5] = min(65535, momentum)


@dataclass(slots=True)
class Rate:
    """A tt_rate as numbers."""

    lr: Factor
    dither: int
    decay: Factor
    momentum: int

    @classmethod
    def read(cls, memory: Bytes) -> Rate:
        """From memory."""
        w = [int(v) for v in view(memory, np.int32, (RATE_WORDS,))]
        return cls((w[0], w[1]), w[2] % 2**32, (w[3], w[4]), w[5])

    def next(self) -> int:
        """The next value of the dither."""
        self.dither = (self.dither + DITHER_PER_UPDATE) % 2**32
        return self.dither

    def mixed(self) -> int:
        """The next value, mixed: a permutation of 32 bits."""
        x = self.next()
        for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
            x = (x ^ x >> shift) * factor % 2**32
        return x ^ x >> 16

    def write(self, memory: Bytes) -> None:
        """The dither, back to memory."""
        view(memory, np.uint32, (RATE_WORDS,))[2] = self.dither


def floor_dithered(x: int, n: int, dither: int) -> int:
    """floor(x / 2^n + dither / 2^32); for n > 31, x / 2^(n - 31) is rounded down first."""
    if n > 31:
        x, n = x >> min(n - 31, 31), 31
    return (x + (dither >> (32 - n))) >> n


def _clip(x: int, limit: int) -> int:
    return max(-limit, min(limit, x))


class Fractions:
    """A fraction plane of 8, 4 or 0 bits per element."""

    def __init__(self, memory: Array | None, bits: int) -> None:
        self.memory, self.bits = memory, bits

    def __getitem__(self, i: int) -> int:
        if self.memory is None or not self.bits:
            return 0
        per_byte = 8 // self.bits
        value = int(self.memory[i // per_byte]) >> (i % per_byte * self.bits) & (
            (1 << self.bits) - 1
        )
        return value - (1 << self.bits) if value >> (self.bits - 1) else value

    def __setitem__(self, i: int, value: int) -> None:
        if self.memory is None or not self.bits:
            return
        at, shift = i // (8 // self.bits), i % (8 // self.bits) * self.bits
        mask = ((1 << self.bits) - 1) << shift
        self.memory[at] = (int(self.memory[at]) & ~mask) | (value << shift & mask)


@dataclass(slots=True)
class Mover:
    """Updates of the parameters of one tensor. mean: the rate that sums are multiplied with."""

    p: Params
    rate: Rate
    mean: Factor
    fraction: Fractions
    velocity: Array | None
    bias: bool

    def __call__(self, i: int, total: int, factor: Factor, value: int) -> int:
        """The new integer of parameter i, whose gradient's sum is `total` in units of `factor`."""
        p, rate = self.p, self.rate
        mantissa, exponent = factor
        if mantissa == 0:
            return value
        step = step_of(self.mean, (mantissa, exponent), p["velocity_bits"])
        delta = self._pull(total, step)
        if not self.bias:
            m, s = self._decay()
            if m:
                delta += self._pull((value << p["fraction_bits"]) + self.fraction[i], (m, s))
        if self.velocity is not None:
            v = (int(self.velocity[i]) * rate.momentum + (rate.mixed() >> 16)) >> 16
            v = _clip(v + delta, DELTA_LIMIT if self.bias else 2**15 - 1)
            self.velocity[i] = v
            dither = rate.next()
            n = p["velocity_bits"] - p["fraction_bits"]
            delta = floor_dithered(v, n, 2**31 if p["nearest"] else dither)
        return self._move(i, delta, value) if delta else value

    def _pull(self, total: int, step: tuple[int, int]) -> int:
        if self.velocity is not None:
            return delta_of(total, *step, self.rate.mixed())
        dither = self.rate.next()
        return delta_of(total, *step, 2**31 if self.p["nearest"] else dither)

    def _decay(self) -> tuple[int, int]:
        """rate * layer's factor * decay, for weights in units of 2^-fraction_bits."""
        layer = (self.p["layer_mantissa"], self.p["layer_exponent"])
        m, s = step_of(self.rate.lr, layer, 0)
        mantissa, exponent = self.rate.decay
        return step_of(
            (m, -s), (mantissa, exponent - self.p["fraction_bits"]), self.p["velocity_bits"]
        )

    def _move(self, i: int, delta: int, value: int) -> int:
        bits, limit = self.p["fraction_bits"], self.p["limit"]
        inside = _clip(value, limit) if self.bias else value
        master = (inside << bits) + self.fraction[i] - delta
        result = (master + ((1 << bits) >> 1)) >> bits
        self.fraction[i] = master - (result << bits) if abs(result) <= limit else 0
        return _clip(result, limit)


def update_weights(
    p: Params,
    rate: Bytes,
    count: int,
    sums: Array,
    unit: int,
    factors: tuple[Array, Array],
    w: Array,
    fraction: Array | None,
    velocity: Array | None,
) -> None:
    """Update weights with sums [rows, groups * run] in units of 2^unit, divided by count."""
    how, numbers = p["optimizer"], Rate.read(rate)
    fractions = Fractions(fraction, how["fraction_bits"])
    size = p["rows"] * p["groups"] * p["run"]
    planes = None if velocity is None else view(velocity, np.int16, (size,))
    move = Mover(how, numbers, _mean(numbers.lr, count), fractions, planes, False)
    weights, i = w.reshape(-1).view(np.int8), 0
    mantissa, exponent = _factors(factors, p["rows"])
    for o in range(p["rows"]):
        factor = int(mantissa[o]), int(exponent[o]) + unit
        for group in range(p["groups"]):
            for k in range(p["run"]):
                at = o * p["row_step"] + group * p["group_step"] + k
                weights[at] = move(i, int(sums[i]), factor, int(weights[at]))
                i += 1
    numbers.write(rate)


def update_biases(
    p: Params,
    rate: Bytes,
    count: int,
    sums: Array,
    unit: int,
    factors: tuple[Array, Array],
    bias: Array,
    fraction: Array | None,
    velocity: Array | None,
) -> None:
    """Update biases with sums [channels] in units of 2^unit, divided by count."""
    how, n, numbers = p["optimizer"], p["gradient"]["channels"], Rate.read(rate)
    planes = None if velocity is None else view(velocity, np.int32, (n,))
    fractions = Fractions(fraction, how["fraction_bits"])
    move = Mover(how, numbers, _mean(numbers.lr, count), fractions, planes, True)
    values = view(bias, np.int32, (n,))
    mantissa, exponent = _factors(factors, n)
    for o in range(n):
        factor = int(mantissa[o]), int(exponent[o]) + unit
        values[o] = move(o, int(sums[o]), factor, int(values[o]))
    numbers.write(rate)


def _factors(factors: tuple[Array, Array], n: int) -> tuple[Array, Array]:
    return view(factors[0], np.uint16, (n,)), view(factors[1], np.int8, (n,))


def _mean(lr: Factor, count: int) -> Factor:
    """lr / count to 15 bits, halves up; a count of more than 15 bits is rounded up first."""
    mantissa, exponent = lr
    while count >= 2**15:
        count, exponent = (count + 1) >> 1, exponent - 1
    quotient = (mantissa << 16) // count
    extra = max(0, quotient.bit_length() - 15)
    rounded = (quotient + ((1 << extra) >> 1)) >> extra
    if rounded == 2**15:
        rounded, extra = 2**14, extra + 1
    return rounded, exponent - 16 + extra


def sums_of(kernel: WeightGradient, p: Params, dy: Bytes, x: Array, w: Array) -> Array:
    """All sums of a weight's gradient, [rows, groups * run] flat, by the kernel without rate."""
    t = p["trained"]
    d = np.zeros(t["rows"] * t["groups"] * t["run"], np.int32)
    none = np.zeros(0)
    kernel(p["gradient"], dy, x, None, none, none, w, none, d)
    return d


def _optimizer(gradient: WeightGradient, name: str) -> Callable[..., None]:
    """The kernel that updates with what `gradient` sums up."""

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
        d: Array,
    ) -> None:
        del d
        sums = sums_of(gradient, p, dy, x, w)
        unit = grad_exponent(dy) + p["gradient"]["row_shift"]
        factors = (step_mantissa, step_exponent)
        update_weights(p["trained"], rate, 1, sums, unit, factors, w, fraction, velocity)

    kernel.__name__ = name
    return kernel


conv2d_bwd_weight__optimizer = _optimizer(conv2d_bwd_weight, "conv2d_bwd_weight__optimizer")
depthwise_conv2d_bwd_weight__optimizer = _optimizer(
    depthwise_conv2d_bwd_weight, "depthwise_conv2d_bwd_weight__optimizer"
)


def bias_bwd__optimizer(
    p: Params,
    dy: Bytes,
    rate: Bytes,
    step_mantissa: Array,
    step_exponent: Array,
    bias: Array,
    fraction: Array | None,
    velocity: Array | None,
    d: Array,
) -> None:
    """The gradient's sums as bias_bwd, then the update."""
    none = np.zeros(0)
    bias_bwd(p["gradient"], dy, None, none, none, none, none, d)
    sums = view(d, np.int32, (p["gradient"]["channels"],))
    factors = (step_mantissa, step_exponent)
    update_biases(p, rate, 1, sums, grad_exponent(dy), factors, bias, fraction, velocity)
