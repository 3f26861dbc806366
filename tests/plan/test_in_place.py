"""Sharing memory changes no result: the same program runs with each buffer at its own place."""

from __future__ import annotations

import numpy as np
import pytest

from support.nets import Net
from support.training import examples_of_classes
from support.zoo import ZOO
from tinytrain.compilation import Compiled
from tinytrain.ir.program import Buffer, Program, Region
from tinytrain.passes.storage import aligned
from tinytrain.plan.arena import Arena, plan_arena
from tinytrain.plan.lifetime import lifetimes
from tinytrain.sim.interpreter import Interpreter

POISON = 0xA5


def apart(program: Program) -> Arena:
    """Every buffer at its own offset."""
    offsets: dict[str, int] = {}
    at = 0
    for call in (*program.predict, *program.step):
        for buffer in call.buffers():
            if buffer.region is Region.ARENA and buffer.name not in offsets:
                offsets[buffer.name] = at
                at += aligned(buffer.nbytes)
    return Arena(at, offsets, at, 0, ())


def check(compiled: Compiled, xs: np.ndarray, ys: np.ndarray) -> None:
    planned = Interpreter(compiled.program, compiled.arena)
    # what a step leaves in the arena must not matter to the next one either
    alone = Interpreter(compiled.program, apart(compiled.program))
    for x, y in zip(xs, ys, strict=True):
        alone.memory[Region.ARENA][:] = POISON
        np.testing.assert_array_equal(planned.predict(x), alone.predict(x))
        if compiled.program.step:
            assert planned.step(x, int(y), 0.05) == alone.step(x, int(y), 0.05)
    np.testing.assert_array_equal(planned.memory[Region.STATE], alone.memory[Region.STATE])


@pytest.mark.parametrize("update", ["all", "last:2", "bias:2", "none"])
@pytest.mark.parametrize("kind", ZOO)
def test_models(kind: str, update: str) -> None:
    for seed in range(4):
        model = ZOO[kind](seed)
        compiled = model.compiled(update)
        check(compiled, *examples_of_classes(model, max(1, compiled.program.classes), 5))


@pytest.mark.slow
def test_many_random_graphs() -> None:
    for seed in range(200):
        model = ZOO["tangle"](seed)
        compiled = model.compiled("all")
        check(compiled, *examples_of_classes(model, compiled.program.classes, 3))


def merged(program: Program) -> set[frozenset[str]]:
    storages = lifetimes(program)
    return {frozenset(p.buffer.name for p in s.parts) for s in storages if len(s.parts) > 1}


def test_sum_takes_over_an_operand() -> None:
    """... that nobody reads later; the other one stays."""
    net = Net()
    x = net.input(1, 4, 4, 2)
    a, b = net.conv(x, 3), net.conv(x, 3)
    model = net.model(x, net.conv(net.add(a, b), 2))
    program = model.compiled("none").program
    (pair,) = merged(program)
    names = [n.output for n in model.graph().nodes]
    assert pair in ({names[0], names[2]}, {names[1], names[2]})


def test_operand_that_is_read_later_is_kept() -> None:
    net = Net()
    x = net.input(1, 4, 4, 2)
    a = net.conv(x, 2)
    model = net.model(x, net.add(net.add(a, x), net.add(x, a)))
    compiled = model.compiled("none")
    names = [n.output for n in model.graph().nodes]
    # the first sum may overwrite nothing, the second the last reader of an operand
    assert not any({names[1]} < group and names[0] in group for group in merged(compiled.program))
    check(compiled, model.noise(0, 3), np.zeros(3, int))


def test_chain_in_place() -> None:
    """One storage for the whole chain of elementwise ops, input and output included."""
    net = Net()
    x = net.input(1, 30)
    y = net.elementwise("RELU", x, x.scale * 0.8, -50)
    y = net.elementwise("QUANTIZE", y, y.scale * 0.8, 3)
    y = net.softmax(y)
    compiled = net.model(x, y).compiled("none")
    assert len(compiled.arena.storages) == 1 and compiled.arena.nbytes == 32
    check(compiled, net.model(x, y).noise(0, 3), np.zeros(3, int))


@pytest.mark.parametrize(("stride", "size"), [(1, (18, 20)), (2, (41, 40))])
@pytest.mark.parametrize("kernel", [3, 5])
def test_depthwise_over_its_input(kernel: int, stride: int, size: tuple[int, int]) -> None:
    """A wide middle between narrow ends: its input and output lie over each other."""
    net = Net()
    x = net.input(1, *size, 2)
    middle = net.depthwise(net.conv(x, 24), (kernel, kernel), (stride, stride))
    model = net.model(x, net.dense(net.flatten(net.conv(middle, 2)), 3))
    compiled = model.compiled("last:1")
    (call,) = (c for c in compiled.program.predict if "depthwise" in c.kernel)
    x, y = (compiled.arena.offsets[call.args[k].name] for k in "xy")
    assert 0 < x - y < size[0] * size[1] * 24
    assert compiled.arena.nbytes < compiled_apart(compiled)
    check(compiled, *examples_of_classes(model, 3, 8))


def compiled_apart(compiled: Compiled) -> int:
    """Bytes of an arena in which only what works in place shares memory."""
    return plan_arena(lifetimes(compiled.program)).nbytes


def test_sum_of_a_tensor_with_itself() -> None:
    net = Net()
    x = net.input(1, 30)
    model = net.model(x, net.add(x, x))
    compiled = model.compiled("none")
    assert compiled.arena.nbytes == 32
    check(compiled, model.noise(0, 3), np.zeros(3, int))


def test_input_survives_for_the_backward_pass() -> None:
    """An op in place on the model's input must not destroy what a weight gradient reads."""
    net = Net()
    x = net.input(1, 20, zero=-5)
    a = net.elementwise("RELU", x, x.scale, -128)
    b = net.dense(x, 20)
    model = net.model(x, net.dense(net.add(a, b), 3))
    check(model.compiled("all"), *examples_of_classes(model, 3, 10))


def test_buffers_have_one_size() -> None:
    """A name stands for one buffer everywhere in a program."""
    for kind in ZOO:
        program = ZOO[kind](1).compiled("all").program
        known: dict[str, Buffer] = {}
        for call in (*program.predict, *program.step):
            for b in call.buffers():
                if b.region is Region.ARENA:
                    assert known.setdefault(b.name, b) == b
