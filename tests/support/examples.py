"""Hypothesis settings: the same examples on every run and machine."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, settings


def examples(n: int) -> Any:
    """n examples, always the same ones, with no clock involved."""
    return settings(
        max_examples=n,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
