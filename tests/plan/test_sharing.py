"""Placements of buffers that may share memory, compared with all placements there are."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from support.examples import examples
from tinytrain.ir.program import Buffer, KernelCall, Overlap, Program, Region
from tinytrain.plan.arena import plan_calls

UNIT = 4


def buffer(i: int, units: int) -> Buffer:
    return Buffer(f"b{i}", Region.ARENA, UNIT * units, "int8_t")


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """Calls with one or two sources, which may work in place, overlap, or neither."""
    made = [buffer(0, draw(st.integers(1, 4)))]
    calls = []
    for i in range(draw(st.integers(1, 4))):
        a = made[draw(st.integers(max(0, len(made) - 2), len(made) - 1))]
        b = made[draw(st.integers(0, len(made) - 1))]
        kind = draw(st.sampled_from(["in place", "overlap", "overlap", "apart"]))
        size = a.nbytes // UNIT if kind == "in place" else draw(st.integers(1, 4))
        y = buffer(i + 1, size)
        lead, step = (UNIT * draw(st.integers(*bounds)) for bounds in ((0, 3), (1, 2)))
        made.append(y)
        same = a.nbytes == b.nbytes == y.nbytes
        calls.append(
            KernelCall(
                "tt_add_s8",
                {"p": {}, "a": a, "b": b, "y": y, "clip": None},
                inplace=(("y", "a"), *((("y", "b"),) if same else ()))
                if kind == "in place"
                else (),
                overlap=(Overlap("y", "a", lead, step),) if kind == "overlap" else (),
            )
        )
    nothing = np.zeros(0, np.uint8)
    return Program("random", tuple(calls), (), made[0], made[-1], 0, nothing, 0, (), ())


def lives(program: Program) -> dict[str, tuple[int, int]]:
    found: dict[str, tuple[int, int]] = {}
    for tick, call in enumerate(program.predict):
        for b in call.buffers():
            found[b.name] = (found.get(b.name, (tick, tick))[0], tick)
    found[program.input.name] = (0, found[program.input.name][1])
    found[program.output.name] = (found[program.output.name][0], len(program.predict) - 1)
    return found


def possible(program: Program, x: Buffer, y: Buffer, ats: tuple[int, int]) -> bool:
    """Whether two buffers may lie there, from the calls' own words."""
    spans = lives(program)
    start, end = max(spans[b.name][0] for b in (x, y)), min(spans[b.name][1] for b in (x, y))
    at_x, at_y = ats
    if start > end or at_x + x.nbytes <= at_y or at_y + y.nbytes <= at_x:
        return True
    if start < end:
        return False
    call = program.predict[start]
    names = {k: b.name for k, b in call.args.items() if isinstance(b, Buffer)}
    for output, source, lead, step in [*((*p, 0, 0) for p in call.inplace), *call.overlap]:
        for (low, low_at), (high, high_at) in (((x, at_x), (y, at_y)), ((y, at_y), (x, at_x))):
            if (names[output], names[source]) != (low.name, high.name):
                continue
            if spans[high.name][1] != start or spans[low.name][0] != start:
                continue
            beyond = high_at - low_at - lead
            if beyond == 0 or (step and beyond > 0 and beyond % step == 0):
                return True
    return False


def fits(program: Program, buffers: Sequence[Buffer], limit: int, placed: dict[str, int]) -> bool:
    if len(placed) == len(buffers):
        return True
    y = buffers[len(placed)]
    for at in range(0, limit - y.nbytes + 1, UNIT):
        if all(possible(program, x, y, (placed[x.name], at)) for x in buffers[: len(placed)]):
            placed[y.name] = at
            if fits(program, buffers, limit, placed):
                return True
            del placed[y.name]
    return False


@examples(150)
@given(programs())
def test_no_placement_is_better(program: Program) -> None:
    """... and what is called a bound is one."""
    buffers = list({b.name: b for c in program.predict for b in c.buffers()}.values())
    arena = plan_calls(program)
    for x, y in combinations(buffers, 2):
        assert possible(program, x, y, (arena.offsets[x.name], arena.offsets[y.name]))
    best = arena.nbytes
    while best > UNIT and fits(program, buffers, best - UNIT, {}):
        best -= UNIT
    assert arena.lower_bound <= arena.least <= arena.nbytes == best
