"""Sums of 64 bits, as whole numbers of Python."""

from __future__ import annotations

from collections.abc import Iterable

LARGEST = 2**64 - 1


def total(terms: Iterable[int]) -> int:
    """The sum, which stays at 2^64 - 1 once there."""
    value = 0
    for term in terms:
        if not 0 <= term < 2**63:
            raise OverflowError(f"a term leaves 63 bits: {term}")
        value = LARGEST if value == LARGEST else min(value + term, LARGEST)
    return value


def scaled(value: int, factor: int, shift: int) -> int:
    """value * factor * 2^-shift by the first 31 bits of the value, at most 2^31 - 1."""
    if value == 0:
        return 0
    down = value.bit_length() - 31
    first = value >> down if down > 0 else value << -down
    product = first * factor >> 16
    shift -= 16 + down
    return min(product >> shift if shift >= 0 else product << min(-shift, 2), 2**31 - 1)
