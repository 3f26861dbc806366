"""The real models against their golden outputs, every value."""

from __future__ import annotations

import numpy as np
import pytest

from support.shared import NAMES, from_int8, golden, path_of, to_int8
from tinytrain.compilation import compile_model
from tinytrain.sim.interpreter import Interpreter


@pytest.mark.parametrize("name", NAMES)
def test_golden_outputs(name: str) -> None:
    compiled = compile_model(path_of(name), "none")
    machine = Interpreter(compiled.program, compiled.arena)
    for x, expected in zip(*golden(name), strict=True):
        ours = from_int8(compiled.graph, machine.predict(to_int8(compiled.graph, x)), expected)
        np.testing.assert_array_equal(ours, expected.reshape(-1))
