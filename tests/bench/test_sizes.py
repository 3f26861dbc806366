"""Modules do not grow unnoticed, and stay within what was asked for."""

from __future__ import annotations

import pytest

from bench.sizes import Subject, kept, measure, subjects

SLACK = 1.02
FEW = [
    ("digits, predict", ("armv6m", "rv32imc")),
    ("digits, train all", ("armv6m",)),
    ("mcunet, scheme 49", ("armv7emsp",)),
]

# text of the modules of emlearn's CNN (emlearn-micropython 0.10), without training
PREDICT_TEXT = {"armv6m": 10_214, "armv7emsp": 5_470, "xtensawin": 6_065, "rv32imc": 10_971}
MCUNET = 32 * 1024


def subject(name: str) -> Subject:
    return next(s for s in subjects() if s.name == name)


@pytest.mark.parametrize(("name", "targets"), FEW)
def test_no_module_grows(name: str, targets: tuple[str, ...]) -> None:
    for target in targets:
        size, before = measure(subject(name), target), kept()[name][target]
        for what in ("module", "stack"):
            assert getattr(size, what) <= SLACK * before[what], (
                f"{what} of {name} on {target}; python -m bench.sizes --keep, if that is meant"
            )


@pytest.mark.parametrize("target", PREDICT_TEXT)
def test_prediction_for_size(target: str) -> None:
    """All of the module, with what the binding does more."""
    size = measure(subject("digits, predict, for size"), target)
    assert size.text <= PREDICT_TEXT[target]


def test_mcunet_for_size() -> None:
    size = measure(subject("mcunet, scheme 49, for size"), "armv6m")
    assert size.module <= MCUNET
    assert min(size.kernels, size.generated, size.binding) > 1000
