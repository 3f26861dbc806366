"""Mantissas and exponent do not depend on how the sums arrive, and mean what the sums mean."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tinytrain.kernels.library import (
    grad_buffer,
    grad_bytes,
    grad_exponent,
    grad_mantissa,
    gradient_bits,
)
from tinytrain.kernels.memory import mantissa_bits
from tinytrain.kernels.reference.gradient import put

from .internals import internals

Sums = NDArray[np.int32]


def write(sums: Sums, limit: int, exponent: int, pieces: list[int]) -> bytes:
    """What the writer makes of sums that come in pieces of these lengths, again and again."""
    module = internals(narrow=False, bits=mantissa_bits())
    memory = np.zeros(grad_bytes(sums.size), np.uint8)
    grad = module.ffi.cast("tt_grad *", memory.ctypes.data)
    writer = module.ffi.new("tt_grad_writer *", module.lib.tt_grad_begin(grad, limit, exponent))
    at = 0
    while at < sums.size:
        for n in pieces:
            piece = np.ascontiguousarray(sums[at : at + n])
            address = module.ffi.cast("const int32_t *", piece.ctypes.data)
            module.lib.tt_grad_push(writer, address, piece.size)
            at += n
    module.lib.tt_grad_end(writer)
    return memory.tobytes()


def of(memory: bytes) -> tuple[int, NDArray[np.int64]]:
    """Exponent and mantissas."""
    grad = np.frombuffer(memory, np.uint8)
    return grad_exponent(grad), grad_mantissa(grad).astype(np.int64)


magnitudes = st.integers(0, 31).flatmap(lambda bits: st.integers(-(2**bits) + 1, 2**bits - 1))


@settings(max_examples=300, deadline=None)
@given(
    values=st.lists(magnitudes, min_size=1, max_size=40),
    bits=st.integers(1, 15),
    pieces=st.lists(st.integers(1, 7), min_size=1, max_size=4),
    seed=st.integers(0, 2**32 - 1),
)
def test_order_and_pieces_do_not_matter(
    values: list[int], bits: int, pieces: list[int], seed: int
) -> None:
    sums, limit = np.array(values, np.int32), 2**bits - 1
    whole = write(sums, limit, -3, [sums.size])
    assert write(sums, limit, -3, pieces) == whole
    order = np.random.default_rng(seed).permutation(sums.size)
    shuffled = np.frombuffer(write(sums[order], limit, -3, pieces), np.uint8)
    assert grad_exponent(shuffled) == grad_exponent(np.frombuffer(whole, np.uint8))
    mantissa = grad_mantissa(np.frombuffer(whole, np.uint8))
    np.testing.assert_array_equal(grad_mantissa(shuffled), mantissa[order])
    reference = np.zeros(grad_bytes(sums.size), np.uint8)
    put(reference, sums, limit, -3)
    assert reference.tobytes() == whole


@pytest.mark.parametrize("limit", [1, 127, 32767])
@pytest.mark.parametrize("largest", [1, 126, 127, 128, 32768, 2**31 - 1])
def test_the_largest_mantissa_is_above_half_the_limit(largest: int, limit: int) -> None:
    sums = np.array([0, -largest, largest // 3], np.int32)
    memory = np.frombuffer(write(sums, limit, 0, [2]), np.uint8)
    mantissa, unit = grad_mantissa(memory).astype(float), 2.0 ** grad_exponent(memory)
    assert limit / 2 < np.abs(mantissa).max() <= limit
    assert (np.abs(mantissa * unit - sums) < unit).all()


def test_zero_has_an_exponent_that_never_dominates() -> None:
    memory = np.frombuffer(write(np.zeros(5, np.int32), 127, 60, [2]), np.uint8)
    assert grad_exponent(memory) == -1000
    assert memory.tobytes() == grad_buffer(np.zeros(5), -1000).tobytes()


@settings(max_examples=300, deadline=None)
@given(
    values=st.lists(magnitudes, min_size=1, max_size=40),
    bits=st.integers(1, 7),
    pieces=st.lists(st.integers(1, 7), min_size=1, max_size=4),
)
def test_int8_mantissas_do_not_depend_on_pieces(
    values: list[int], bits: int, pieces: list[int]
) -> None:
    sums, limit = np.array(values, np.int32), 2**bits - 1
    with gradient_bits(8):
        whole = write(sums, limit, -3, [sums.size])
        assert write(sums, limit, -3, pieces) == whole
        assert write(-sums, limit, -3, pieces) == write(-sums, limit, -3, [sums.size])
        reference = np.zeros(grad_bytes(sums.size), np.uint8)
        put(reference, sums, limit, -3)
        assert reference.tobytes() == whole


@pytest.mark.parametrize("pieces", [[1], [64], [4096]])
def test_int8_mantissas_are_near_and_unbiased(pieces: list[int]) -> None:
    """Each is off by two thirds of a unit at most, and neither direction is preferred."""
    rng = np.random.default_rng(5)
    sums = (rng.normal(size=4096) * 2.0 ** rng.integers(4, 24)).astype(np.int32)
    with gradient_bits(8):
        exponent, mantissa = of(write(sums, 127, 0, pieces))
    exact = sums / 2.0**exponent
    error = (mantissa - exact) * np.sign(exact)
    assert 63 <= np.abs(mantissa).max() <= 127
    assert np.abs(error).max() <= 2 / 3 + 2.0**-exponent
    assert abs(error.mean()) < 0.02
    # nearest would have 1 / 12; thirds have 1 / 9
    assert (error**2).mean() < 0.12


@pytest.mark.parametrize(
    "largest", [1, 126, 127, 128, 32768, 127 << 20, (127 << 20) - 1, 2**31 - 1]
)
def test_int8_mantissas_use_the_range(largest: int) -> None:
    sums = np.array([0, -largest, largest // 3], np.int32)
    with gradient_bits(8):
        _, mantissa = of(write(sums, 127, 0, [2]))
    assert 63 <= np.abs(mantissa).max() <= 127
