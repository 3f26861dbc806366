"""Loss and gradient of softmax cross-entropy against float64."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tinytrain.kernels.library import grad_bytes, grad_exponent, grad_mantissa, library
from tinytrain.kernels.reference import cross_entropy as reference

Floats = NDArray[np.float64]
UNIT = 2.0**-20
# real factor 2^-3 from sums to units of 2^-12
MULTIPLIER, SHIFT = 2**30, -2
LOGIT = 2.0**-15


def run(sums: NDArray[np.int32], label: int, limit: int = 32767) -> tuple[Floats, float]:
    """Gradient of the logits and loss, as reals."""
    n = sums.size
    grad, loss = np.zeros(grad_bytes(n), np.uint8), np.zeros(1, np.int32)
    factors = np.full(n, MULTIPLIER, np.int32), np.full(n, SHIFT, np.int8)
    p = {"classes": n, "limit": limit}
    scratch = np.zeros(library().scratch_bytes("tt_softmax_cross_entropy", p), np.uint8)
    library().call("tt_softmax_cross_entropy", p, sums, *factors, label, grad, loss, scratch)
    return np.ldexp(grad_mantissa(grad).astype(float), grad_exponent(grad)), loss[0] * UNIT


def softmax(sums: NDArray[np.int32]) -> Floats:
    """Of the logits as the kernel rounds them: to 2^-12, halves away from zero."""
    logits = np.trunc(sums / 8 + np.copysign(0.5, sums)) * 2.0**-12
    e = np.exp(logits - logits.max())
    return e / e.sum()


@pytest.mark.parametrize("spread", [0.01, 1.0, 4.0, 12.0, 40.0])
@pytest.mark.parametrize("classes", [1, 2, 3, 10, 100, 1000, 4096])
def test_against_float64(classes: int, spread: float) -> None:
    rng = np.random.default_rng([classes, int(spread * 100)])
    for _ in range(20):
        sums = (rng.normal(0, spread, classes) / LOGIT).astype(np.int32)
        label = int(rng.choice([sums.argmax(), sums.argmin(), rng.integers(classes)]))
        p, (d, loss) = softmax(sums), run(sums, label)
        one_hot = np.arange(classes) == label
        # the label's gradient is minus the sum of the others
        exact = np.where(one_hot, -p[~one_hot].sum(), p)
        step = max(np.abs(d).max() / 16383, 2.0**-28)
        assert (np.abs(d - exact) <= 4e-4 * np.abs(exact) + step + one_hot * classes * 2**-28).all()
        expected = -np.log(p[label])
        assert abs(loss - expected) <= 1e-3 * expected + 2.0**-17


@pytest.mark.parametrize("classes", [2, 10, 1000])
@pytest.mark.parametrize("target", [1e-3, 1e-2, 0.1, 0.5])
def test_small_losses_are_within_one_percent(classes: int, target: float) -> None:
    # all others equally far, such that -ln p[label] is the target
    gap = np.log((classes - 1) / np.expm1(target))
    sums = np.zeros(classes, np.int32)
    sums[classes // 2] = int(gap / LOGIT) // 8 * 8
    _, loss = run(sums, classes // 2)
    assert loss == pytest.approx(-np.log(softmax(sums)[classes // 2]), rel=0.01)


def test_equal_logits() -> None:
    d, loss = run(np.full(4, 77_000, np.int32), 2)
    assert d == pytest.approx([0.25, 0.25, -0.75, 0.25], rel=1e-4)
    assert loss == pytest.approx(np.log(4), rel=1e-4)


@pytest.mark.parametrize("classes", [2, 3, 10, 100])
def test_gradients_at_a_power_of_two(classes: int) -> None:
    """Where 1 minus the label's probability and the sum of the others differ in length."""
    p = {"classes": classes, "limit": 32767}
    factors = np.full(classes, MULTIPLIER, np.int32), np.full(classes, SHIFT, np.int8)
    for others in (0.5, 0.25, 2.0**-9):
        gap = round(np.log((classes - 1) * (1 / others - 1)) / LOGIT)
        for step in range(-160, 160, 8):
            sums = np.zeros(classes, np.int32)
            sums[1] = gap + step
            d, _ = run(sums, 1)
            expected = np.zeros(grad_bytes(classes), np.uint8)
            args = (p, sums, *factors, 1, expected, np.zeros(1, np.int32), expected)
            reference.softmax_cross_entropy(*args)
            exact = np.ldexp(grad_mantissa(expected).astype(float), grad_exponent(expected))
            assert (d == exact).all()


def test_far_apart_logits_saturate_the_loss() -> None:
    sums = np.array([-(2**30), 2**30, 0], np.int32)
    d, loss = run(sums, 0)
    assert loss == pytest.approx(2048)
    assert d.tolist() == pytest.approx([-1, 1, 0], rel=1e-4)
    d, loss = run(sums, 1)
    assert loss == 0 and not d.any()


def test_the_gradient_sums_to_nothing() -> None:
    rng = np.random.default_rng(3)
    for _ in range(50):
        d, _ = run((rng.normal(0, 2, 10) / LOGIT).astype(np.int32), 4)
        assert abs(d.sum()) <= 10 * np.abs(d).max() / 16383


def test_loss_bits_are_a_float() -> None:
    for value in (0, 1, 5, 2**20, 123_456_789, 2**31 - 1):
        bits = library().call("tt_loss_bits", value)
        single = np.array([bits], np.uint32).view(np.float32)[0]
        assert single <= value * UNIT
        assert single == pytest.approx(value * UNIT, rel=2**-23)
