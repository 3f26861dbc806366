"""Kernels do not become slower unnoticed: a few shapes, counted, beside the figures kept."""

from __future__ import annotations

import json

import pytest

from bench.run import BASELINE, count
from bench.shapes import shapes

SLACK = 1.02
FEW = {
    "pico": ("W1", "W2 3x3", "W4 160", "W5 dX", "W5 dW", "W6 3x3 dX", "W6 3x3 dW"),
    "m4f": ("W1", "W5 dX"),
    "rv32": ("W1",),
}


@pytest.mark.parametrize("board", FEW, indirect=True)
def test_no_shape_costs_more_than_before(board):
    kept = json.loads(BASELINE.read_text())[board]
    found = count(board, [s for s in shapes() if s.name in FEW[board]])
    slower = {name: (kept[name], n) for name, n in found.items() if n > SLACK * kept[name]}
    assert not slower, "python -m bench.run --keep, if that is meant"
