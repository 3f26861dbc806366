"""What is said about the peak is what the plan holds."""

from __future__ import annotations

import pytest

from support.zoo import ZOO
from tinytrain.ir.program import Region
from tinytrain.plan.explain import calls, explanation, place_of, residents


@pytest.mark.parametrize("update", ["all", "last:1", "none"])
@pytest.mark.parametrize("kind", ZOO)
def test_residents_of_every_call(kind: str, update: str) -> None:
    compiled = ZOO[kind](0).compiled(update)
    program, arena = compiled.program, compiled.arena
    for tick, call in enumerate(calls(program)):
        here = residents(program, arena, tick)
        touched = {b.name.removeprefix("step#") for b in call.buffers() if b.region is Region.ARENA}
        assert {r.name for r in here if r.next_use == "this call"} == touched
        for r in here:
            assert r.start <= tick <= r.end and r.offset + r.nbytes <= arena.nbytes
            assert r.what in ("activation", "gradient", "clip mask", "scratch")
        if tick == arena.peak_tick:
            ends = max(r.offset + r.nbytes for r in here)
            assert arena.lower_bound <= sum(r.nbytes for r in here)
            assert ends <= arena.nbytes


def test_the_text_names_call_tensors_and_bytes() -> None:
    compiled = ZOO["lenet"](0).compiled("all")
    text = explanation(compiled.program, compiled.arena)
    tick = compiled.arena.peak_tick
    assert place_of(compiled.program, tick) in text
    for r in residents(compiled.program, compiled.arena, tick):
        assert f"{r.nbytes:,}" in text and r.what in text
    assert f"{compiled.arena.nbytes:,}" in text
    assert ("optimal" in text) == compiled.arena.optimal
