"""Where storages lie: apart while they live, as low as the best of all orders, nearly."""

from __future__ import annotations

from itertools import combinations, pairwise, permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.examples import examples
from support.shared import NAMES, path_of
from support.zoo import ZOO
from tinytrain.compilation import compile_model
from tinytrain.ir.program import Buffer, Program, Region
from tinytrain.plan.arena import Arena, plan_arena
from tinytrain.plan.lifetime import Storage, lifetimes

# of small random cases, and of the models, compared with the optimum or the lower bound
SLACK = 1.1


def storage(name: str, nbytes: int, *live: tuple[int, int]) -> Storage:
    return Storage((Buffer(name, Region.ARENA, nbytes, "int8_t"),), nbytes, live)


def check(arena: Arena) -> None:
    """By brute force over ticks, from nothing but offsets and lifetimes."""
    ends = [b for s in arena.storages for _, b in s.live]
    peak = 0
    for tick in range(max(ends, default=-1) + 1):
        here = [s for s in arena.storages if any(a <= tick <= b for a, b in s.live)]
        places = sorted((arena.offsets[s.name], arena.offsets[s.name] + s.nbytes) for s in here)
        for (_, end), (start, _) in pairwise(places):
            assert end <= start, tick
        peak = max(peak, sum(s.nbytes for s in here))
        if tick == arena.peak_tick:
            assert sum(s.nbytes for s in here) == arena.lower_bound
    assert arena.lower_bound == peak <= arena.nbytes
    for s in arena.storages:
        for b in s.buffers:
            assert arena.offsets[b.name] % 4 == 0
            assert arena.offsets[b.name] == arena.offsets[s.name]
            assert b.nbytes <= s.nbytes
            assert 0 <= arena.offsets[b.name] <= arena.nbytes - s.nbytes


@st.composite
def storages(draw: st.DrawFn, largest: int) -> list[Storage]:
    """Blocks with one or two lives."""
    made = []
    for i in range(draw(st.integers(1, largest))):
        start = draw(st.integers(0, 8))
        live = [(start, start + draw(st.integers(0, 4)))]
        if draw(st.booleans()):
            again = live[0][1] + 2 + draw(st.integers(0, 4))
            live.append((again, again + draw(st.integers(0, 3))))
        made.append(storage(f"b{i}", 4 * draw(st.integers(1, 40)), *live))
    return made


@examples(300)
@given(storages(largest=25))
def test_random_lives(blocks: list[Storage]) -> None:
    check(plan_arena(blocks))


def optimum(blocks: list[Storage]) -> int:
    """Some order, each block as low as it fits, gives the best placement there is: take an optimal
    one and place its blocks from the bottom up."""
    best = sum(b.nbytes for b in blocks)
    for order in permutations(blocks):
        placed: list[tuple[Storage, int]] = []
        for block in order:
            at = 0
            for start, end in sorted((o, o + p.nbytes) for p, o in placed if p.overlaps(block)):
                if at + block.nbytes <= start:
                    break
                at = max(at, end)
            placed.append((block, at))
        best = min(best, max(o + p.nbytes for p, o in placed))
    return best


@examples(60)
@given(storages(largest=6))
def test_near_the_optimum(blocks: list[Storage]) -> None:
    assert plan_arena(blocks).nbytes <= SLACK * optimum(blocks)


def test_nothing_to_place() -> None:
    arena = plan_arena([])
    assert (arena.nbytes, arena.lower_bound, dict(arena.offsets)) == (0, 0, {})


def test_gaps_are_used() -> None:
    """A short-lived block lies where another one was."""
    blocks = [
        storage("long", 100, (0, 9)),
        storage("early", 60, (0, 3)),
        storage("late", 48, (4, 9)),
        storage("tail", 12, (4, 9)),
    ]
    assert plan_arena(blocks).nbytes == 160


def test_two_lives_of_one_block() -> None:
    """The input is alive in predict and in step, not between: others may lie there."""
    blocks = [storage("input", 40, (0, 1), (8, 9)), storage("other", 40, (3, 6))]
    assert plan_arena(blocks).nbytes == 40


def test_same_plan_every_time() -> None:
    rng = np.random.default_rng(0)
    blocks = [storage(f"b{i}", 4 * int(rng.integers(1, 9)), (i % 5, i % 5 + 3)) for i in range(30)]
    assert plan_arena(blocks) == plan_arena(list(blocks))


@pytest.mark.parametrize("kind", ZOO)
def test_small_models(kind: str) -> None:
    for seed in range(5):
        for update in ("all", "last:1", "none"):
            arena = ZOO[kind](seed).compiled(update).arena
            check(arena)
            assert arena.nbytes <= SLACK * arena.lower_bound


@pytest.mark.parametrize("update", ["all", "last:2", "none"])
@pytest.mark.parametrize("name", NAMES)
def test_real_models(name: str, update: str) -> None:
    compiled = compile_model(path_of(name), update)
    check(compiled.arena)
    assert compiled.arena.nbytes <= 1.01 * compiled.arena.lower_bound
    check_calls(compiled.program, compiled.arena)


def check_calls(program: Program, arena: Arena) -> None:
    """Within a call, buffers are apart unless the call says that they may be one."""
    for call in (*program.predict, *program.step):
        shared = {frozenset(pair) for pair in call.inplace}
        buffers = {k: b for k, b in call.args.items() if isinstance(b, Buffer)}
        for (k, a), (m, b) in combinations(buffers.items(), 2):
            if a.region is not b.region or a.name == b.name:
                continue
            start = [arena.offsets[x.name] if x.offset < 0 else x.offset for x in (a, b)]
            apart = start[0] + a.nbytes <= start[1] or start[1] + b.nbytes <= start[0]
            both_read = a.region is Region.WEIGHTS  # equal constants are stored once
            assert apart or both_read or frozenset((k, m)) in shared, (call.kernel, k, m)


@pytest.mark.parametrize("kind", ZOO)
def test_buffers_within_a_call(kind: str) -> None:
    compiled = ZOO[kind](0).compiled("all")
    check_calls(compiled.program, compiled.arena)


def test_lifetimes_cover_every_use() -> None:
    """Between the first and the last call that touches a buffer it is alive."""
    for kind in ZOO:
        program = ZOO[kind](0).compiled("all").program
        live = {b.name: s.live for s in lifetimes(program) for b in s.buffers}
        for tick, call in enumerate((*program.predict, *program.step)):
            for b in call.buffers():
                if b.region is Region.ARENA:
                    assert any(start <= tick <= end for start, end in live[b.name])
        step = len(program.predict)
        spans = live[program.input.name]
        assert any(start == 0 for start, _ in spans)
        assert any(start == step for start, _ in spans)
        assert any(end == step - 1 for _, end in live[program.output.name])
