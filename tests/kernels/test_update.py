"""Updates: unbiased, saturating, and the same however small the steps are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tinytrain.kernels.library import grad_buffer, library, rate_buffer

from .internals import internals

PIXEL = dict.fromkeys(("in_h", "in_w", "out_h", "out_w", "kernel_h", "kernel_w"), 1)
PIXEL |= {"stride_h": 1, "stride_w": 1, "pad_top": 0, "pad_left": 0}


class Layer:
    """A fully connected layer of one output, whose weights' gradient is x * dy."""

    def __init__(self, n: int, step: float) -> None:
        self.w, self.fraction = np.zeros(n, np.int8), np.zeros(n, np.int8)
        self.params = {"in_zero": 0, "channels": n, "row_shift": 0}
        self.params["window"] = PIXEL | {"in_c": n, "out_c": 1}  # type: ignore[assignment]
        fraction, exponent = np.frexp(step)
        self.mantissa = np.array([round(fraction * 2**15)], np.uint16)
        self.exponent = np.array([exponent - 15], np.int8)
        self.steps = 0

    def train(self, x: NDArray[np.int8], dy: int, lr: float) -> None:
        rate = rate_buffer(lr, self.steps)
        self.steps += 1
        d = np.zeros(x.size, np.int32)
        args = grad_buffer([dy]), x, rate, self.mantissa, self.exponent, self.w, self.fraction, d
        library().call("tt_conv2d_bwd_weight", self.params, *args)

    @property
    def value(self) -> NDArray[np.float64]:
        return self.w + self.fraction / 256


# 1: the sums themselves are far below one LSB; 300: sums of 15 bits and more, shifted further
@pytest.mark.parametrize("dy", [1, 300, 32767])
@pytest.mark.parametrize("size", [0.5, 8])  # 0.002 and 0.03 of a weight's LSB
def test_mean_drift_equals_the_ideal(dy: int, size: float) -> None:
    """10,000 updates of `size` units of 2^-8 at most; sizes and signs are random."""
    rng = np.random.default_rng(11)
    n, lr = 16, 0.01
    layer = Layer(n, size / 256 / 127 / dy / lr)
    ideal = np.zeros(n)
    for _ in range(10_000):
        # a drift of about a quarter of the largest update, in either direction
        x = (rng.integers(-63, 127, n) * np.resize([1, -1], n)).astype(np.int8)
        layer.train(x, dy, lr)
        ideal -= x / 127 * size / 256
    up, down = layer.value[1::2].mean(), layer.value[::2].mean()
    assert up == pytest.approx(ideal[1::2].mean(), rel=0.01)
    assert down == pytest.approx(ideal[::2].mean(), rel=0.01)


def drift(lr_exponent: int, total: int, updates: int = 4000) -> float:
    """The mean of delta divided by its ideal, for a sum of `total`."""
    module = internals(narrow=False)
    rate = module.ffi.new("tt_rate *", {"mantissa": 20000, "exponent": lr_exponent, "dither": 7})
    step = module.lib.tt_step_of(rate, 30000, 0)
    mean = sum(module.lib.tt_delta(rate, step, total) for _ in range(updates)) / updates
    return float(mean / (total * 20000 * 30000 * 2.0 ** (lr_exponent + 8)))


@pytest.mark.parametrize("total", [3, -3, 127, -32767, 32768, -(2**24) + 1, 2**31 - 1])
@pytest.mark.parametrize("delta_bits", [-5, -1, 0, 1, 6, 20])
def test_rounding_is_unbiased_at_every_magnitude(total: int, delta_bits: int) -> None:
    """Whatever the sum's size, updates of about 2^delta_bits units are right on the average."""
    exponent = delta_bits - 8 - 29 - abs(total).bit_length()
    assert drift(exponent, total) == pytest.approx(1, abs=2e-3 if delta_bits > -5 else 0.03)


@pytest.mark.parametrize(("dy", "end"), [(32767, -127), (-32767, 127)])
def test_weights_saturate(dy: int, end: int) -> None:
    layer = Layer(3, 1.0)
    for _ in range(3):
        layer.train(np.array([127, 1, 0], np.int8), dy, 0.1)
    assert layer.w.tolist() == [end, end, 0]
    assert layer.fraction.tolist() == [0, 0, 0]
    layer.train(np.array([-1, 0, 0], np.int8), 1 if dy > 0 else -1, 0.25)
    assert layer.value[0] == pytest.approx(end + (0.25 if dy > 0 else -0.25))


def test_no_rate_moves_nothing() -> None:
    layer = Layer(2, 1.0)
    layer.w[:], layer.fraction[:] = (100, -128), (-128, 127)
    layer.train(np.array([127, -128], np.int8), 32767, 0.0)
    assert layer.w.tolist() == [100, -128]
    assert layer.fraction.tolist() == [-128, 127]


def test_dead_channels_and_zero_gradients_move_nothing() -> None:
    layer = Layer(2, 1.0)
    layer.train(np.array([127, -128], np.int8), 0, 100.0)
    layer.mantissa[:] = 0
    layer.train(np.array([127, -128], np.int8), 32767, 100.0)
    assert not layer.w.any() and not layer.fraction.any()


def bias_after(start: int, dy: int, limit: int, lr: float) -> tuple[int, int]:
    bias, fraction = np.array([start], np.int32), np.zeros(1, np.int8)
    one: Any = np.array([2**14], np.uint16), np.array([-14], np.int8)
    p = {"pixels": 1, "channels": 1, "bias_limit": limit}
    args = grad_buffer([dy]), rate_buffer(lr), *one, bias, fraction, np.zeros(1, np.int32)
    library().call("tt_bias_bwd", p, *args)
    return int(bias[0]), int(fraction[0])


def test_biases_move_by_rate_times_gradient_and_saturate() -> None:
    assert bias_after(1000, 100, 2**30, 1.0) == (900, 0)
    assert bias_after(1000, -100, 2**30, 0.5) == (1050, 0)
    assert bias_after(1000, 1, 2**30, 0.25) == (1000, -64)
    assert bias_after(990, -32767, 1000, 1.0) == (1000, 0)
    assert bias_after(-(2**31), 0, 2**30, 1.0) == (-(2**31), 0)
    assert bias_after(-(2**31), 1, 2**30, 1.0) == (-(2**30), 0)
    # one update moves by 2^20 units at most
    assert bias_after(0, 32767, 2**30, 2.0**20) == (-(2**20), 0)


@pytest.mark.parametrize("lr", [1e-6, 0.01, 1.0, 3.7, 1000.0])
def test_rates_are_kept_to_fifteen_bits(lr: float) -> None:
    mantissa, exponent, *_ = rate_buffer(lr).view(np.int32)
    assert mantissa * 2.0**exponent == pytest.approx(lr, rel=2**-15)


def test_steps_round_differently_and_reproducibly() -> None:
    dithers = {int(rate_buffer(0.1, step).view(np.uint32)[2]) for step in range(1000)}
    assert len(dithers) == 1000
    assert rate_buffer(0.1, 77).tobytes() == rate_buffer(0.1, 77).tobytes()
