"""Momentum, weight decay, batches and precisions: unbiased, saturating, and as the formulas say."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tinytrain.kernels.library import grad_buffer, library, rate_buffer

from .test_update import PIXEL

LSB = 127.0


@dataclass
class Layer:
    """A fully connected layer of one output, whose weights' gradient is x * dy.

    size: by how many LSB a step with lr 0.01, x 127 and dy 1000 moves a weight.
    """

    n: int
    size: float
    bits: int = 8
    momentum: float | None = None
    decay: float = 0.0
    nearest: int = 0
    start: int = 0
    calls: int = 0
    w: NDArray[np.int8] = field(init=False)

    def __post_init__(self) -> None:
        self.w = np.full(self.n, self.start, np.int8)
        self.fraction = np.zeros((self.n * self.bits + 7) // 8, np.uint8) if self.bits else None
        self.velocity = None if self.momentum is None else np.zeros(self.n, np.int16)
        self.sums = np.concatenate([[-1000], np.zeros(self.n)]).astype(np.int32).view(np.uint8)
        self.count = 0
        fraction, exponent = np.frexp(self.size / LSB / 1000 / 0.01)
        self.factor: Any = (
            np.array([round(fraction * 2**15)], np.uint16),
            np.array([exponent - 15], np.int8),
        )
        optimizer = {
            "fraction_bits": self.bits,
            "velocity_bits": self.bits if self.momentum is None else 11,
            "nearest": self.nearest,
            "layer_mantissa": 2**14,
            "layer_exponent": -14,
            "limit": 127,
        }
        rows = {"rows": 1, "groups": 1, "run": self.n, "row_step": self.n, "group_step": self.n}
        gradient = {"in_zero": 0, "channels": self.n, "row_shift": 0}
        gradient["window"] = PIXEL | {"in_c": self.n, "out_c": 1}  # type: ignore[assignment]
        self.params = {"gradient": gradient, "trained": rows | {"optimizer": optimizer}}

    def rate(self, accumulate: bool = False) -> NDArray[np.uint8]:
        self.calls += 1
        options = {"momentum": self.momentum or 0.0, "decay": self.decay}
        return rate_buffer(0.01, self.calls, accumulate=accumulate, **options)

    def train(self, x: NDArray[np.int8], dy: int = 1000, *, batch: bool = False) -> None:
        planes = self.w, self.fraction, self.velocity, self.sums, np.zeros(self.n, np.int32)
        args = grad_buffer([dy]), x, self.rate(batch), *self.factor, *planes
        library().call("tt_conv2d_bwd_weight__batch", self.params, *args)
        self.count += batch

    def apply(self) -> None:
        planes = self.w, self.fraction, self.velocity
        args = self.sums, self.count, self.rate(), *self.factor, *planes
        library().call("tt_weight_apply", self.params["trained"], *args)
        self.count = 0

    @property
    def value(self) -> NDArray[np.float64]:
        if self.fraction is None:
            return self.w.astype(np.float64)
        if self.bits == 8:
            return self.w + self.fraction.view(np.int8) / 256
        nibbles = np.stack([self.fraction & 15, self.fraction >> 4], 1).reshape(-1)[: self.n]
        return self.w + np.where(nibbles > 7, nibbles.astype(int) - 16, nibbles) / 16


def inputs(rng: np.random.Generator, n: int) -> NDArray[np.int8]:
    """Of random sizes and signs, with a drift of a quarter of the largest in either direction."""
    return (rng.integers(-63, 127, n) * np.resize([1, -1], n)).astype(np.int8)


def check_drift(layer: Layer, ideal: NDArray[np.float64]) -> None:
    signs = np.resize([1, -1], layer.n)
    assert (layer.value * signs).mean() == pytest.approx((ideal * signs).mean(), rel=0.01)


STEPS = 10_000
N = 512  # so that the noise of whole steps (8-bit weights) is below the tolerance


@pytest.mark.parametrize("momentum", [None, 0.9])
@pytest.mark.parametrize("bits", [0, 4, 8])
def test_mean_drift_equals_the_ideal(bits: int, momentum: float | None) -> None:
    """10,000 random updates that move far less than one LSB together with their momentum."""
    m = momentum or 0.0
    layer = Layer(N, 0.03 * (1 - m), bits, momentum)
    rng, v, ideal = np.random.default_rng(5), np.zeros(N), np.zeros(N)
    for _ in range(STEPS):
        x = inputs(rng, layer.n)
        layer.train(x)
        v = m * v + x / LSB * layer.size
        ideal -= v
    check_drift(layer, ideal)


@pytest.mark.slow
@pytest.mark.parametrize("momentum", [None, 0.9])
@pytest.mark.parametrize("bits", [0, 4, 8])
def test_accumulation_drifts_as_the_mean(bits: int, momentum: float | None) -> None:
    """10,000 examples whose gradients differ in exponent, in batches."""
    m, size = momentum or 0.0, 4
    layer = Layer(N, 0.1 * (1 - m), bits, momentum)
    rng, v, ideal = np.random.default_rng(6), np.zeros(N), np.zeros(N)
    total = np.zeros(N)
    for i in range(STEPS):
        x, dy = inputs(rng, layer.n), int(rng.integers(1, 1000))
        layer.train(x, dy, batch=True)
        total += x / LSB * dy / 1000 * layer.size
        if (i + 1) % size == 0:
            layer.apply()
            v = m * v + total / size
            ideal -= v
            total[:] = 0
    check_drift(layer, ideal)


@pytest.mark.slow
@pytest.mark.parametrize("momentum", [None, 0.9])
@pytest.mark.parametrize("bits", [0, 4, 8])
def test_weights_decay_exponentially(bits: int, momentum: float | None) -> None:
    """lr * decay of 1e-4, a hundredth of an LSB a step for a weight of 100."""
    decay = 0.01 if momentum is None else 0.001
    layer = Layer(64, 0.01, bits, momentum, decay=decay, start=100)
    for _ in range(STEPS):
        layer.train(np.zeros(64, np.int8), 0)
    assert 100 - layer.value.mean() == pytest.approx(100 - 100 * np.exp(-1), rel=0.01)


def test_rounding_to_nearest_loses_small_updates() -> None:
    layer = Layer(4, 0.4, bits=0, nearest=1)
    for _ in range(100):
        layer.train(np.full(4, 127, np.int8))
    assert layer.w.tolist() == [0] * 4
    layer = Layer(4, 0.6, bits=0, nearest=1)
    layer.train(np.array([127, -127, 60, 0], np.int8))
    assert layer.w.tolist() == [-1, 1, 0, 0]


def test_velocities_and_weights_saturate() -> None:
    layer = Layer(2, 15.0, momentum=0.9)
    for _ in range(20):
        layer.train(np.array([127, -127], np.int8))
    assert layer.velocity is not None and layer.velocity.tolist() == [32767, -32767]
    assert layer.value.tolist() == [-127, 127]


def test_momentum_outlives_the_gradient_and_a_change_of_rate() -> None:
    """v is in units of w, so what was learned at one rate is not rescaled by the next."""
    layer = Layer(64, 1.0, momentum=0.5)
    layer.train(np.full(64, 127, np.int8))
    for _ in range(40):
        layer.train(np.zeros(64, np.int8), 0)
    assert layer.value.mean() == pytest.approx(-2, abs=0.02)


def test_sums_are_exact_while_they_fit() -> None:
    """Gradients of all sizes; the exponents of dy span more than 2^10."""
    rng, layer = np.random.default_rng(7), Layer(16, 0.1)
    expected = np.zeros(16)
    for _ in range(50):
        x, dy, exponent = inputs(rng, 16), int(rng.integers(1, 2**14)), int(rng.integers(-6, 1))
        planes = layer.w, layer.fraction, None, layer.sums, np.zeros(16, np.int32)
        args = grad_buffer([dy], exponent), x, layer.rate(True), *layer.factor, *planes
        library().call("tt_conv2d_bwd_weight__batch", layer.params, *args)
        expected += x.astype(float) * dy * 2.0**exponent
    head, sums = int(layer.sums[:4].view(np.int32)[0]), layer.sums[4:].view(np.int32)
    # what has been rounded: examples with a smaller exponent than the first, by one unit at most
    np.testing.assert_allclose(sums * 2.0**head, expected, atol=50 * 2.0**head)


def test_sums_of_any_length_stay_in_range() -> None:
    layer = Layer(4, 0.1)
    x = np.array([127, -127, 64, 1], np.int8)
    for _ in range(2000):
        layer.train(x, 32767, batch=True)
    head, sums = int(layer.sums[:4].view(np.int32)[0]), layer.sums[4:].view(np.int32)
    assert np.abs(sums).max() < 2**30
    np.testing.assert_allclose(sums * 2.0**head, x * 32767.0 * 2000, rtol=1e-5)


def test_a_batch_of_equal_examples_is_one_step() -> None:
    one, batch = Layer(64, 0.7), Layer(64, 0.7)
    x = inputs(np.random.default_rng(8), 64)
    one.train(x)
    for _ in range(7):
        batch.train(x, batch=True)
    batch.apply()
    assert np.abs(one.value - batch.value).max() <= 1 / 256
