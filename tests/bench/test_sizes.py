"""Modules do not grow unnoticed, and stay within what was asked for."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from bench.baseline import SIZES, kept, moved
from bench.published import SIZE_TARGETS
from bench.sizes import Subject, measure, subjects

FEW = [
    ("digits, predict", ("armv6m", "rv32imc")),
    ("digits, train all", ("armv6m",)),
    ("mcunet, scheme 49", ("armv7emsp",)),
]

PREDICT, MCUNET = "digits, predict, for size", "mcunet, scheme 49, for size"


def subject(name: str) -> Subject:
    return next(s for s in subjects() if s.name == name)


@pytest.mark.parametrize(("name", "targets"), FEW)
def test_modules_take_what_they_did(name: str, targets: tuple[str, ...]) -> None:
    for target in targets:
        found = asdict(measure(subject(name), target))
        before = kept(SIZES)[name][target]
        sizes = {part: found[part] for part in ("module", "stack")}
        assert not moved(sizes, before), f"{target}; make size ARGS=--keep, if that is meant"


@pytest.mark.parametrize("target", ["armv6m", "armv7emsp", "xtensawin", "rv32imc"])
def test_prediction_for_size(target: str) -> None:
    """All of the module, with what the binding does more than emlearn's."""
    assert measure(subject(PREDICT), target).text <= SIZE_TARGETS[PREDICT, target, "text"]


def test_mcunet_for_size() -> None:
    size = measure(subject(MCUNET), "armv6m")
    assert size.module <= SIZE_TARGETS[MCUNET, "armv6m", "module"]
    assert min(size.kernels, size.generated, size.binding) > 1000
