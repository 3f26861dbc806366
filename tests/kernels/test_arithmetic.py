"""The integer arithmetic against its definitions in exact fractions; narrow against wide."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinytrain.kernels.reference import arithmetic

from .internals import internals

EXAMPLES = settings(max_examples=500, deadline=None)
EDGES = [0, 1, -1, 2**15, 2**16 - 1, -(2**16), 2**30, -(2**30), 2**31 - 1, -(2**31), -(2**31) + 1]
int32 = st.sampled_from(EDGES) | st.integers(-(2**31), 2**31 - 1)
uint32 = st.sampled_from([1, 2**31, 2**32 - 1]) | st.integers(0, 2**32 - 1)
multiplier = st.sampled_from([0, 1, 2**30, 2**31 - 1]) | st.integers(0, 2**31 - 1)
narrow_or_wide = pytest.mark.parametrize("c", [False, True], ids=["wide", "narrow"], indirect=True)


@pytest.fixture(scope="module")
def c(request: pytest.FixtureRequest) -> Any:
    return internals(request.param).lib


def half_away(x: Fraction) -> int:
    return math.floor(x + Fraction(1, 2)) if x >= 0 else math.ceil(x - Fraction(1, 2))


def half_up(x: Fraction) -> int:
    return math.floor(x + Fraction(1, 2))


def wrapped(x: int) -> int:
    return (x + 2**31) % 2**32 - 2**31


def tflm_requantize(x: int, m: int, shift: int) -> int:
    """MultiplyByQuantizedMultiplier as its authors describe it."""
    high = half_up(Fraction(wrapped(x << max(shift, 0)) * m, 2**31))
    return half_away(Fraction(high, 2 ** max(-shift, 0)))


@narrow_or_wide
@EXAMPLES
@given(x=int32, m=multiplier, shift=st.integers(-31, 30))
def test_requantize(c: Any, x: int, m: int, shift: int) -> None:
    expected = tflm_requantize(x, m, shift)
    assert c.requantize_s32(x, m, shift) == expected
    assert arithmetic.requantize(x, m, shift) == expected


@narrow_or_wide
@EXAMPLES
@given(a=int32, b=int32)
def test_products(c: Any, a: int, b: int) -> None:
    expected = min(half_up(Fraction(a * b, 2**31)), 2**31 - 1)
    assert c.mul_high_signed(a, b) == expected
    assert arithmetic.mul_high(a, b) == expected
    if b >= 0:
        assert c.mul_high(a, b) == expected
    assert c.mul_shift16(a, b % (2**16 + 1)) == a * (b % (2**16 + 1)) // 2**16
    assert c.mul_shift15(a, b % (2**15 + 1)) == a * (b % (2**15 + 1)) // 2**15


@EXAMPLES
@given(x=int32, n=st.integers(0, 31), more=st.integers(0, 31))
def test_shifts(x: int, n: int, more: int) -> None:
    c = internals(False).lib
    assert c.round_shift(x, n) == half_away(Fraction(x, 2**n)) == arithmetic.round_shift(x, n)
    assert c.round_half_up(x, n) == half_up(Fraction(x, 2**n))
    if x > -(2**31):
        toward_zero = math.trunc(Fraction(x, 2**n))
        assert c.shift_toward_zero(x, n) == toward_zero == arithmetic.shift_toward_zero(x, n)
        assert c.shift_toward_zero(toward_zero, more) == math.trunc(Fraction(x, 2 ** (n + more)))


@narrow_or_wide
@EXAMPLES
@given(n=uint32, d=uint32.filter(bool))
def test_division(c: Any, n: int, d: int) -> None:
    assert c.divide(n, d) == n // d


@narrow_or_wide
def test_reciprocals(c: Any) -> None:
    for d in range(2**15, 2**16 + 1):
        assert c.reciprocal_of_total(d << 14) == 2**31 // d


def test_narrow_products_equal_wide_ones_in_bulk() -> None:
    rng = np.random.default_rng(5)
    wide, narrow = internals(False).lib, internals(True).lib
    a = rng.integers(-(2**31), 2**31, 20_000)
    b = rng.integers(0, 2**31, 20_000) >> rng.integers(0, 31, 20_000)
    for x, y in zip(a.tolist(), b.tolist(), strict=True):
        assert narrow.mul_high(x, y) == wide.mul_high(x, y)
