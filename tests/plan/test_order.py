"""The order of calls: no better one exists, and none that is allowed changes a bit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.examples import examples
from support.training import examples_of_classes
from support.zoo import ZOO
from tinytrain.ir.program import Buffer, KernelCall, Program, Region
from tinytrain.plan import order as order_module
from tinytrain.plan.arena import plan_calls, plan_program
from tinytrain.plan.dependencies import is_order, predecessors
from tinytrain.plan.order import best_order, reorder
from tinytrain.sim.interpreter import Interpreter

Calls = tuple[KernelCall, ...]


def buffer(i: int, nbytes: int) -> Buffer:
    return Buffer(f"b{i}", Region.ARENA, nbytes, "int8_t")


def add(a: Buffer, b: Buffer, y: Buffer, inplace: bool) -> KernelCall:
    pairs = (("y", "a"), ("y", "b")) if inplace else ()
    return KernelCall("tt_add_s8", {"p": {}, "a": a, "b": b, "y": y, "clip": None}, inplace=pairs)


def program_of(predict: Calls, source: Buffer) -> Program:
    last = predict[-1].args["y"]
    assert isinstance(last, Buffer)
    nothing = np.zeros(0, np.uint8)
    return Program("random", predict, (), source, last, 0, nothing, 0, (), ())


@st.composite
def programs(draw: st.DrawFn, most: int) -> Program:
    """A random graph of sums, of any sizes: each reads two of what is there before it."""
    made = [buffer(0, 4 * draw(st.integers(1, 30)))]
    calls = []
    for i in range(draw(st.integers(1, most))):
        a, b = draw(st.sampled_from(made)), draw(st.sampled_from(made))
        made.append(buffer(i + 1, 4 * draw(st.integers(1, 30))))
        calls.append(add(a, b, made[-1], draw(st.booleans())))
    return program_of(tuple(calls), made[0])


def peak(calls: Sequence[KernelCall], program: Program) -> int:
    """Bytes at the worst call, from what each call reads and writes alone."""
    sizes = {b.name: b.nbytes for c in calls for b in c.buffers()}
    worst = 0
    for now, call in enumerate(calls):
        before, here, later = (
            {b.name for c in part for b in c.buffers()}
            for part in (calls[:now], [call], calls[now + 1 :])
        )
        before.add(program.input.name)
        later.add(program.output.name)
        alive = (before & later) | here
        if program.input.name not in later | here:
            alive.discard(program.input.name)
        names = {k: b.name for k, b in call.args.items() if isinstance(b, Buffer)}
        saved = [0]
        for output, source in call.inplace:
            dying = names[source] not in later and names[output] not in before
            saved.append(min(sizes[names[output]], sizes[names[source]]) * dying)
        worst = max(worst, sum(sizes[n] for n in alive) - max(saved))
    return worst


def allowed(calls: Sequence[KernelCall]) -> bool:
    """Nothing is read before it is written."""
    made = {"b0"}
    for call in calls:
        a, b, y = (call.args[k].name for k in "aby")  # type: ignore[union-attr]
        if not {a, b} <= made:
            return False
        made.add(y)
    return True


@examples(80)
@given(programs(most=6))
def test_no_order_is_better(program: Program) -> None:
    best = best_order(program.predict, program)
    orders = (order for order in permutations(program.predict) if allowed(order))
    assert best.exact
    assert best.peak == min(peak(order, program) for order in orders)
    assert best.peak == peak([program.predict[i] for i in best.order], program)


@examples(80)
@given(programs(most=14))
def test_orders_of_larger_graphs(program: Program) -> None:
    best = reorder(program)
    assert is_order(program.predict, best.program.predict) and allowed(best.program.predict)
    assert peak(best.program.predict, program) == best.bound <= peak(program.predict, program)
    arena = plan_calls(best.program)
    assert arena.lower_bound == best.bound


@examples(30)
@given(programs(most=12))
def test_beam_search_where_there_are_too_many_sets(program: Program) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(order_module, "SETS", 2)
        best = best_order(program.predict, program)
    calls = [program.predict[i] for i in best.order]
    assert allowed(calls) and len(calls) == len(program.predict)
    assert best.peak == peak(calls, program) <= peak(program.predict, program)
    assert best.peak >= best_order(program.predict, program).peak


def test_a_better_order_is_taken() -> None:
    """Two branches of large tensors that end small: one after the other, not side by side."""
    x, out = buffer(0, 40), buffer(9, 4)
    large, small = [buffer(1 + i, 1000) for i in range(2)], [buffer(5 + i, 40) for i in range(2)]
    calls = (
        add(x, x, large[0], False),
        add(x, x, large[1], False),
        add(large[0], large[0], small[0], False),
        add(large[1], large[1], small[1], False),
        add(small[0], small[1], out, False),
    )
    program = program_of(calls, x)
    planned, arena = plan_program(program)
    assert plan_calls(program).nbytes == 2040
    assert arena.nbytes == 1080 and arena.proven
    assert [planned.predict.index(c) for c in calls] in ([0, 2, 1, 3, 4], [2, 0, 3, 1, 4])


def some_order(calls: Calls, seed: int) -> Calls:
    """Any order that the dependencies allow."""
    rng, before = np.random.default_rng(seed), predecessors(calls)
    left, taken = list(range(len(calls))), []
    while left:
        ready = [i for i in left if before[i] <= set(taken)]
        # the last ones as often as not, so that calls move far
        i = ready[-1] if rng.random() < 0.5 else int(rng.choice(ready))
        left.remove(i)
        taken.append(i)
    return tuple(calls[i] for i in taken)


@pytest.mark.parametrize("update", ["all", "last:2", "bias:2"])
@pytest.mark.parametrize("kind", ZOO)
def test_no_allowed_order_changes_a_bit(kind: str, update: str) -> None:
    moved = 0
    for seed in range(4):
        model = ZOO[kind](seed)
        program = model.compiled(update).program
        other = replace(
            program,
            predict=some_order(program.predict, seed),
            step=some_order(program.step, seed),
        )
        moved += any(a is not b for a, b in zip(program.step, other.step, strict=True))
        given, changed = (Interpreter(p, plan_calls(p)) for p in (program, other))
        xs, ys = examples_of_classes(model, max(1, program.classes), 4)
        for x, y in zip(xs, ys, strict=True):
            np.testing.assert_array_equal(given.predict(x), changed.predict(x))
            assert given.step(x, int(y), 0.05) == changed.step(x, int(y), 0.05)
        np.testing.assert_array_equal(
            given.memory[Region.STATE], changed.memory[Region.STATE], err_msg=f"seed {seed}"
        )
    assert moved or update != "all"


def test_updates_keep_their_order() -> None:
    """The dither moves on with each, so the order decides how they round."""
    calls = ZOO["residual"](0).compiled("all").program.step
    updates = [i for i, c in enumerate(calls) if "rate" in c.args]
    before = predecessors(calls)
    for i, j in pairwise(updates):
        assert i in before[j]


def test_an_update_waits_for_the_readers_of_the_old_weight() -> None:
    calls = ZOO["lenet"](0).compiled("all").program.step
    before = predecessors(calls)
    for i, call in enumerate(calls):
        if call.kernel.endswith("_bwd_weight"):
            readers = [j for j in range(i) if calls[j].args.get("w") == call.args["w"]]
            assert readers and set(readers) <= before[i]
