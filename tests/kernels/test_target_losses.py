"""Sigmoid cross-entropy and mean squared error against torch in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tinytrain.kernels.library import grad_bytes, grad_exponent, grad_mantissa, library
from tinytrain.passes.fixed_point import multipliers

torch = pytest.importorskip("torch")
Floats = NDArray[np.float64]
SIZES = [1, 2, 12, 640, 5000]
UNIT = 2.0**-20
SUM = 1.7e-5  # real value of a unit of the sums


def real(grad: NDArray[np.uint8]) -> Floats:
    return np.ldexp(grad_mantissa(grad).astype(float), grad_exponent(grad))


def run(kernel: str, p: dict[str, Any], factor: float, sums: Any, *rest: Any) -> tuple[Floats, int]:
    """Gradient in real value, and the loss in its units."""
    grad, loss = np.zeros(grad_bytes(p["size"]), np.uint8), np.zeros(1, np.int32)
    library().call(kernel, p, sums, *multipliers([factor] * p["channels"]), *rest, grad, loss)
    return real(grad), int(loss[0])


def sigmoid(sums: NDArray[np.int32], target: NDArray[np.int8]) -> tuple[Floats, float]:
    n = sums.size
    bits = 16 + n.bit_length() - 1
    p = {"size": n, "channels": 1, "limit": 32767, "reciprocal_bits": bits}
    p["reciprocal"] = ((1 << bits) + n // 2) // n
    d, loss = run("tt_sigmoid_cross_entropy", p, SUM * 4096, sums, target)
    return d, loss * UNIT


def torch_loss(name: str, value: Floats, target: Floats) -> tuple[Floats, float]:
    leaf = torch.tensor(value, requires_grad=True)
    loss = getattr(torch.nn, name)()(leaf, torch.tensor(target))
    loss.backward()
    return leaf.grad.numpy(), float(loss.detach())


def cosine(a: Floats, b: Floats) -> float:
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


@pytest.mark.parametrize("spread", [0.01, 1.0, 4.0, 15.0])
@pytest.mark.parametrize("size", SIZES)
def test_sigmoid(size: int, spread: float) -> None:
    rng = np.random.default_rng([size, int(spread * 100)])
    for _ in range(20):
        logits = rng.normal(0, spread, size)
        target = rng.integers(0, 2, size).astype(np.int8)
        d, loss = sigmoid((logits / SUM).astype(np.int32), target)
        rounded = np.rint(np.trunc(logits / SUM) * SUM * 4096) / 4096
        exact, expected = torch_loss("BCEWithLogitsLoss", rounded, target.astype(float))
        assert abs(loss - expected) <= 1e-3 * expected + 2 * UNIT
        assert expected < 1e-5 or cosine(d, exact) >= 0.999999
        step = np.abs(d).max() / 16383 + 2.0**-28 / size
        assert (np.abs(d - exact) <= 5e-4 * np.abs(exact) + step).all()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("wanted", [2e-4, 1e-3, 0.01, 0.1])
def test_small_sigmoid_losses_are_within_one_percent(size: int, wanted: float) -> None:
    rng = np.random.default_rng(size)
    target = rng.integers(0, 2, size).astype(np.int8)
    gap = -np.log(np.expm1(wanted))
    logits = np.rint(np.where(target, gap, -gap) * 4096) / 4096
    _, loss = sigmoid(np.rint(logits / SUM).astype(np.int32), target)
    expected = torch_loss("BCEWithLogitsLoss", logits, target.astype(float))[1]
    assert loss == pytest.approx(expected, rel=0.01)


def test_sigmoid_far_out() -> None:
    d, loss = sigmoid(np.array([-(2**30), 2**30], np.int32), np.array([1, 0], np.int8))
    assert d.tolist() == pytest.approx([-0.5, 0.5], rel=1e-4)
    assert loss == pytest.approx(2048)  # saturated
    d, loss = sigmoid(np.array([-(2**30), 2**30], np.int32), np.array([0, 1], np.int8))
    assert loss == 0 and not d.any()


class Squared:
    """The parameters that lower_loss derives, for an output of this scale and zero point."""

    def __init__(self, size: int, scale: float, zero: int, input_scale: float = 1.0) -> None:
        log2, log2_n = int(np.floor(np.log2(scale))), size.bit_length() - 1
        bits = 12 - log2 + log2_n
        self.size, self.scale, self.zero = size, scale, zero
        self.factor = 2.0**bits / size
        self.loss_bits = 13 - 2 * log2
        self.p = {"size": size, "channels": 1, "limit": 32767, "exponent": 1 - bits}
        self.p["loss_shift"] = 15 - log2_n + 2 * bits - self.loss_bits
        self.p["loss_factor"] = ((size << 16 >> log2_n) + 1) >> 1
        for name, s in (("output", scale), ("input", input_scale)):
            (multiplier,), (shift,) = multipliers([s * self.factor])
            self.p[name] = {"zero": zero, "shift": int(shift), "multiplier": int(multiplier)}

    def __call__(self, y: Floats, target: NDArray[np.int8], as_input: int = 0) -> Any:
        sums = np.rint(y / SUM).astype(np.int32)
        factor = SUM * self.factor
        d, loss = run("tt_mean_squared_error", self.p, factor, sums, as_input, target)
        return d, loss * 2.0**-self.loss_bits, sums * SUM


@pytest.mark.parametrize("spread", [0.03, 0.3, 5.0, 100.0, 1000.0])
@pytest.mark.parametrize("scale", [0.003, 0.0625, 0.9])
@pytest.mark.parametrize("size", SIZES)
def test_squared_error(size: int, scale: float, spread: float) -> None:
    """spread: of the errors, in LSB of the output."""
    rng = np.random.default_rng([size, int(spread * 100)])
    loss_of = Squared(size, scale, 7)
    for _ in range(10):
        target = rng.integers(-128, 128, size).astype(np.int8)
        wanted = (target.astype(float) - 7) * scale
        d, loss, y = loss_of(wanted + rng.normal(0, spread * scale, size), target)
        exact, expected = torch_loss("MSELoss", y, wanted)
        unit, top = 2.0**-loss_of.loss_bits, (2**31 - 1) * 2.0**-loss_of.loss_bits
        rms = np.sqrt(expected)  # a unit of each error is lost to rounding
        error = SUM + scale / 4096
        assert abs(loss - min(expected, top)) <= 1e-3 * expected + unit + 2 * rms * error
        assert size == 1 or cosine(d, exact) >= 0.9999
        assert np.abs(d - exact).max() <= np.abs(d).max() / 16383 + 2 * error / size


@pytest.mark.parametrize("size", SIZES)
def test_small_squared_errors_are_within_one_percent(size: int) -> None:
    """From an eighth of an LSB (root mean square) up."""
    for lsb in (0.125, 0.5, 2.0):
        loss_of = Squared(size, 0.7, -3)
        target = np.full(size, 20, np.int8)
        y = (23 + lsb * (-1.0) ** np.arange(size)) * 0.7
        assert loss_of(y, target)[1] == pytest.approx((0.7 * lsb) ** 2, rel=0.01)


def test_targets_quantized_as_the_input() -> None:
    loss_of = Squared(6, 0.25, 5, input_scale=0.1)
    target = np.array([-128, -1, 0, 5, 77, 127], np.int8)
    y = np.linspace(-3, 3, 6)
    d, loss, y = loss_of(y, target, as_input=1)
    exact, expected = torch_loss("MSELoss", y, (target.astype(float) - 5) * 0.1)
    assert loss == pytest.approx(expected, rel=1e-3)
    assert cosine(d, exact) >= 0.999999


def test_no_error_is_no_gradient() -> None:
    d, loss, _ = Squared(4, 0.5, 0)(np.zeros(4), np.zeros(4, np.int8))
    assert loss == 0 and not d.any()
