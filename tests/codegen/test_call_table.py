"""The tables of calls: what a byte cannot hold, and that arguments of all widths do the same."""

from __future__ import annotations

import re

import numpy as np
import pytest

import tinytrain
from support.nets import Net
from support.zoo import ZOO
from tinytrain.codegen import c_source, call_table
from tinytrain.codegen.c_source import generate
from tinytrain.codegen.call_table import Word
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


def widths(made: Compiled) -> set[int]:
    return {int(n) for n in re.findall(r"TT_[A-Z]+\((\d),", made.source.body)}


def test_arguments_of_all_widths(monkeypatch: pytest.MonkeyPatch) -> None:
    model = ZOO["residual"](0)
    mixed = model.compiled("all")
    monkeypatch.setattr(Word, "nbytes", property(lambda word: 4))
    wide = model.compiled("all")
    assert {1, 2} <= widths(mixed)
    assert widths(wide) == {4}
    assert steps(mixed) == steps(wide)


@pytest.mark.parametrize(
    ("place", "number", "nbytes"),
    [
        *[("ARENA", 7, 1), ("ARENA", 8, 2), ("STATE", 2047, 2), ("WEIGHTS", 2048, 3)],
        *[("WEIGHTS", (1 << 27) - 1, 4), ("WEIGHTS", 1 << 27, 5)],
        *[("INTEGER", 3, 1), ("INTEGER", 4, 2), ("INTEGER", -4, 1), ("INTEGER", -5, 2)],
        *[("INTEGER", (1 << 26) - 1, 4), ("INTEGER", -(1 << 26), 4), ("INTEGER", 1 << 26, 5)],
    ],
)
def test_width(place: str, number: int, nbytes: int) -> None:
    assert Word(place, number, "").nbytes == nbytes


def test_what_all_calls_have_in_common_is_code() -> None:
    made = ZOO["lenet"](0).compiled("none")
    (call,) = re.findall(r"tt_conv2d_s8\(([^;]*)\);", made.source.body)
    assert "(uint8_t *)0" in call  # the clip mask
    trained = ZOO["lenet"](0).compiled("all").source.body
    assert "(uint8_t *)a[" in trained
    assert "(tt_rate *)(at->base[TT_IN_RUN] + offsetof(tt_run, rate))" in trained


def test_calls_that_do_not_fit_are_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sizes of which some fit and some do not."""
    model = ZOO["residual"](0)
    plain = model.compiled("all")

    class Narrow(call_table.CallTable):
        def _argument(self, argument, ctype):
            word = super()._argument(argument, ctype)
            return None if word and word.place != "RUN" and word.number > 300 else word

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
    assert made.program.weights.size > 1 << 19
    assert 4 in widths(made)
    steps(made)


def test_more_calls_than_a_byte_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    made = ZOO["residual"](0).compiled("all")
    monkeypatch.setattr(call_table, "CALLS", 5)
    with pytest.raises(BuildError, match="calls that fit into no table"):
        generate(made.graph, made.program, made.arena)
