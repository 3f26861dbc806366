"""Where storages lie: apart while they live, as low as the best of all orders, nearly."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.examples import examples
from support.shared import NAMES, path_of
from support.zoo import ZOO
from tinytrain.compilation import Options, compile_model
from tinytrain.ir.program import Buffer, Program, Region
from tinytrain.plan.arena import Arena, plan_arena
from tinytrain.plan.lifetime import Part, Storage, lifetimes

# of real models, and of random ones of a few kilobytes, compared with the lower bound
SLACK, SMALL_SLACK = 1.02, 1.05


def storage(name: str, nbytes: int, *live: tuple[int, int]) -> Storage:
    return Storage((Part(Buffer(name, Region.ARENA, nbytes, "int8_t"), live),))


def check(arena: Arena, *, shared: frozenset[frozenset[str]] = frozenset()) -> None:
    """By brute force over ticks, from nothing but offsets and lifetimes; shared: pairs of buffers
    that may overlap in one tick."""
    parts = [p for s in arena.storages for p in s.parts]
    peak = 0
    for tick in range(max((b for p in parts for _, b in p.live), default=-1) + 1):
        here = [p for p in parts if any(a <= tick <= b for a, b in p.live)]
        for p, q in combinations(here, 2):
            pair = sorted((arena.offsets[x.buffer.name], x.nbytes) for x in (p, q))
            apart = pair[0][0] + pair[0][1] <= pair[1][0]
            assert apart or frozenset((p.buffer.name, q.buffer.name)) in shared, tick
        places = [(arena.offsets[p.buffer.name], p.nbytes) for p in here]
        used = len({byte for at, n in places for byte in range(at, at + n, 4)}) * 4
        peak = max(peak, used)
        if tick == arena.peak_tick:
            assert used >= arena.lower_bound
    assert arena.lower_bound <= peak <= arena.nbytes
    assert arena.lower_bound <= arena.least <= arena.nbytes
    for p in parts:
        assert arena.offsets[p.buffer.name] % 4 == 0
        assert 0 <= arena.offsets[p.buffer.name] <= arena.nbytes - p.buffer.nbytes


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


@examples(30)
@given(storages(largest=25))
def test_random_lives(blocks: list[Storage]) -> None:
    check(plan_arena(blocks))


def optimum(blocks: list[Storage]) -> int:
    """Some order, each block as low as it fits, gives the best placement there is: take an optimal
    one and place its blocks from the bottom up."""
    best = sum(b.nbytes for b in blocks)
    for order in permutations(blocks):
        best = min(best, filled(order))
    return best


def filled(order: Sequence[Storage]) -> int:
    """Bytes that are needed if each block, one after the other, lies as low as it fits."""
    placed: list[tuple[Storage, int]] = []
    for block in order:
        at = 0
        beside = [(o, o + p.nbytes) for p, o in placed if p.parts[0].meets(block.parts[0])]
        for start, end in sorted(beside):
            if at + block.nbytes <= start:
                break
            at = max(at, end)
        placed.append((block, at))
    return max(o + p.nbytes for p, o in placed)


@examples(60)
@given(storages(largest=6))
def test_the_optimum_is_found_and_known(blocks: list[Storage]) -> None:
    arena = plan_arena(blocks)
    assert arena.nbytes == optimum(blocks)
    assert arena.optimal


@examples(40)
@given(storages(largest=30))
def test_what_is_called_optimal_is(blocks: list[Storage]) -> None:
    """Nothing that is found by chance is better."""
    arena = plan_arena(blocks)
    check(arena)
    if arena.optimal and arena.nbytes > arena.lower_bound:
        rng = np.random.default_rng(0)
        for _ in range(50):
            assert filled([blocks[i] for i in rng.permutation(len(blocks))]) >= arena.nbytes


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
            compiled = ZOO[kind](seed).compiled(update)
            check(compiled.arena, shared=may_share(compiled.program))
            assert compiled.arena.nbytes <= SMALL_SLACK * compiled.arena.least


def may_share(program: Program) -> frozenset[frozenset[str]]:
    """Pairs of buffers that some call may work on in the same memory."""
    pairs = set()
    for call in (*program.predict, *program.step):
        for output, source in [*call.inplace, *((o.output, o.source) for o in call.overlap)]:
            buffers = [call.args[output], call.args[source]]
            pairs.add(frozenset(b.name for b in buffers if isinstance(b, Buffer)))
    return frozenset(pairs)


@pytest.mark.parametrize(
    ("update", "name"),
    [(u, n) for n in NAMES for u in ("all", "last:1", "last:2", "bias:2", "none")],
)
def test_real_models(name: str, update: str) -> None:
    regression = name in ("mlperf_ad01_int8", "tflm_hello_world_int8")
    compiled = compile_model(path_of(name), update, Options("mse" if regression else "softmax"))
    arena = compiled.arena
    check(arena, shared=may_share(compiled.program))
    assert arena.nbytes <= SLACK * arena.least
    assert arena.order_exact and arena.lower_bound == arena.order_bound
    check_calls(compiled.program, arena)


SCHEMES = sorted((Path(__file__).parents[2] / "examples" / "mcunet").glob("*.toml"))


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda path: path.stem)
def test_published_schemes(scheme: Path) -> None:
    compiled = compile_model(path_of("mcunet_5fps_128_c10"), str(scheme))
    check(compiled.arena, shared=may_share(compiled.program))
    assert compiled.arena.proven
    check_calls(compiled.program, compiled.arena)


def check_calls(program: Program, arena: Arena) -> None:
    """Within a call, buffers are apart unless the call says that they may be one."""
    for call in (*program.predict, *program.step):
        shared = {frozenset(pair) for pair in call.inplace}
        leads = {frozenset((o.output, o.source)): o for o in call.overlap}
        buffers = {k: b for k, b in call.args.items() if isinstance(b, Buffer)}
        for (k, a), (m, b) in combinations(buffers.items(), 2):
            if a.region is not b.region or a.name == b.name:
                continue
            start = [arena.offsets[x.name] if x.offset < 0 else x.offset for x in (a, b)]
            apart = start[0] + a.nbytes <= start[1] or start[1] + b.nbytes <= start[0]
            both_read = a.region is Region.WEIGHTS  # equal constants are stored once
            if apart or both_read:
                continue
            if frozenset((k, m)) in shared:
                assert start[0] == start[1], (call.kernel, k, m)
                continue
            overlap = leads[frozenset((k, m))]
            y, x = buffers[overlap.output], buffers[overlap.source]
            beyond = arena.offsets[x.name] - arena.offsets[y.name] - overlap.lead
            assert beyond >= 0 and beyond % overlap.step == 0, (call.kernel, k, m)


@pytest.mark.parametrize("kind", ZOO)
def test_buffers_within_a_call(kind: str) -> None:
    compiled = ZOO[kind](0).compiled("all")
    check_calls(compiled.program, compiled.arena)


def test_lifetimes_cover_every_use() -> None:
    """Between the first and the last call that touches a buffer it is alive."""
    for kind in ZOO:
        program = ZOO[kind](0).compiled("all").program
        live = {p.buffer.name: p.live for s in lifetimes(program) for p in s.parts}
        for tick, call in enumerate((*program.predict, *program.step)):
            for b in call.buffers():
                if b.region is Region.ARENA:
                    assert any(start <= tick <= end for start, end in live[b.name])
        step = len(program.predict)
        spans = live[program.input.name]
        assert any(start == 0 for start, _ in spans)
        assert any(start == step for start, _ in spans)
        assert any(end == step - 1 for _, end in live[program.output.name])
