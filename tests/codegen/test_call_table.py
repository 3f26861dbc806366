"""The tables of calls: what a byte cannot hold, and that both widths of arguments do the same."""

from __future__ import annotations

import re

import numpy as np
import pytest

import tinytrain
from support.nets import Net
from support.zoo import ZOO
from tinytrain.codegen import c_source, call_table
from tinytrain.codegen.c_source import generate
from tinytrain.compilation import Compiled
from tinytrain.errors import BuildError
from tinytrain.ir.program import Region
from tinytrain.sim.interpreter import Interpreter


def steps(made: Compiled) -> list[object]:
    trainer = tinytrain.Trainer(made)
    machine = Interpreter(made.program, made.arena)
    xs = np.random.default_rng(0).integers(-128, 128, (4, made.program.input.nbytes))
    found: list[object] = []
    for x in xs.astype(np.int8):
        assert trainer.predict(x).tobytes() == machine.predict(x).tobytes()
        found.append(trainer.step(x, 1))
        machine.step(x, 1, trainer.lr)
    assert trainer.state.tobytes() == machine.memory[Region.STATE][: trainer.state.size].tobytes()
    return [*found, trainer.state.tobytes()]


def bits_of(made: Compiled) -> int:
    (wide,) = re.findall(r"#define TT_WIDE_CALLS (\d)", made.source.body)
    return 29 if wide == "1" else 21


def test_arguments_of_four_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    model = ZOO["residual"](0)
    narrow = model.compiled("all")
    monkeypatch.setattr(c_source, "NARROW", 4)
    monkeypatch.setattr(c_source, "WIDE", 29)
    wide = model.compiled("all")
    assert (bits_of(narrow), bits_of(wide)) == (21, 29)
    assert steps(narrow) == steps(wide)


def test_calls_that_do_not_fit_are_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sizes of which some fit and some do not."""
    model = ZOO["residual"](0)
    plain = model.compiled("all")

    class Narrow(call_table.CallTable):
        def _argument(self, argument, ctype):
            text = super()._argument(argument, ctype)
            number = re.search(r"\((\d+)\)", text or "")
            return None if number and int(number[1]) > 300 else text

    monkeypatch.setattr(c_source, "CallTable", Narrow)
    mixed = model.compiled("all")
    assert "DO_SPECIAL + 3" in mixed.source.body
    assert "DO_SPECIAL + 0" not in plain.source.body
    assert steps(plain) == steps(mixed)


def test_large_weights() -> None:
    net = Net(0)
    x = net.input(1, 1, 1, 1500)
    y = net.dense(net.reshape(x, 1, 1500), 1500)
    made = net.model(x, net.dense(y, 3)).compiled("last:1")
    assert made.program.weights.size > 1 << 21
    assert bits_of(made) == 29
    steps(made)


def test_more_calls_than_a_byte_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    made = ZOO["residual"](0).compiled("all")
    monkeypatch.setattr(call_table, "CALLS", 5)
    with pytest.raises(BuildError, match="calls that fit into no table"):
        generate(made.graph, made.program, made.arena)
