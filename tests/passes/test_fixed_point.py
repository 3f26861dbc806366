"""Real factors as integers: exact where TFLM is the measure, within their resolution elsewhere."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle.integer import quantize_multiplier as reference
from support.examples import examples
from tinytrain.passes.fixed_point import (
    below_power_of_two,
    common_exponent,
    multipliers,
    normalize15,
    quantize_multiplier,
    reciprocal,
    round_half_away,
    steps,
)

positive = st.floats(1e-30, 1e30, allow_nan=False)


@pytest.mark.parametrize(
    ("x", "expected"), [(0.5, 1), (-0.5, -1), (1.5, 2), (2.5, 3), (-2.5, -3), (0.49, 0), (-3.2, -3)]
)
def test_halves_go_away_from_zero(x: float, expected: int) -> None:
    assert round_half_away(x) == expected


@examples(300)
@given(positive)
def test_multiplier(real: float) -> None:
    multiplier, shift = quantize_multiplier(real)
    assert (multiplier, shift) == reference(real)
    if multiplier:
        assert 2**30 <= multiplier < 2**31
        assert math.ldexp(multiplier, shift - 31) == pytest.approx(real, rel=2**-31)
    else:
        assert real < 2**-31


def test_multiplier_at_the_edges() -> None:
    assert quantize_multiplier(0.0) == (0, 0)
    assert quantize_multiplier(1.0) == (2**30, 1)
    assert quantize_multiplier(1 - 2**-40) == (2**30, 1)  # the mantissa is rounded up to 2^31
    assert quantize_multiplier(2**-32 * 0.99) == (0, 0)
    m, s = multipliers([0.3, 0.0, 7.0])
    assert (m.dtype, s.dtype) == (np.int32, np.int8)
    assert list(zip(m.tolist(), s.tolist(), strict=True)) == [reference(r) for r in (0.3, 0.0, 7.0)]


@examples(300)
@given(positive)
def test_normalize15(real: float) -> None:
    mantissa, exponent = normalize15(real)
    assert 2**14 <= mantissa < 2**15 and -127 <= exponent <= 127
    assert math.ldexp(mantissa, exponent) == pytest.approx(real, rel=2**-15)


@pytest.mark.parametrize("real", [0.0, -1.0, math.inf, math.nan])
def test_what_never_moves(real: float) -> None:
    """Dead channels: a factor of 0."""
    assert normalize15(real) == (0, 0)
    mantissas, exponents = steps([real, 1.0])
    assert (mantissas.dtype, exponents.dtype) == (np.uint16, np.int8)
    assert mantissas.tolist() == [0, 2**14]


@pytest.mark.parametrize("real", [1e-300, 1e300])
def test_exponents_saturate(real: float) -> None:
    assert abs(normalize15(real)[1]) == 127


@examples(200)
@given(st.lists(st.floats(1e-12, 1e3), min_size=1, max_size=8))
def test_common_exponent(reals: list[float]) -> None:
    array = np.array(reals)
    values, exponent = common_exponent(array)
    assert values.dtype == np.uint16 and 2**14 <= values.max() <= 2**15
    back = np.ldexp(values.astype(float), exponent - 15)
    assert np.abs(back - array).max() <= 2**-15 * array.max()


def test_common_exponent_of_nothing() -> None:
    assert common_exponent(np.zeros(3))[1] == 0
    assert not common_exponent(np.zeros(3))[0].any()
    assert common_exponent(np.zeros(0))[0].size == 0


@pytest.mark.parametrize(
    ("bound", "limit"), [(0, 0), (1, 1), (2, 1), (3, 3), (126, 63), (127, 127), (10**9, 32767)]
)
def test_below_power_of_two(bound: int, limit: int) -> None:
    assert below_power_of_two(bound) == limit


def test_reciprocal() -> None:
    for count in [*range(1, 2000), 4095, 4096, 16384, 32767]:
        value, bits = reciprocal(count)
        assert 2**14 < value <= 2**15
        assert math.ldexp(value, -bits) == pytest.approx(1 / count, rel=2**-15)
