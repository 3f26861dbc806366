"""Momentum, weight decay and batches: the same bits in the simulator and on the boards."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

from tinytrain.build import Build, build
from tinytrain.compilation import Options, compile_model
from tinytrain.ir.optimizer import Optimizer
from tinytrain.ir.program import Region
from tinytrain.kernels.reference import KERNELS
from tinytrain.sim.interpreter import Interpreter
from tinytrain.sim.trainer import Trainer

from .test_parity import BOARDS, MODEL, slow

OPTIMIZER = Optimizer(momentum=True, weight_decay=True, batch=True)

# 8 accumulated examples and an update, then an immediate step: 10 calls a round
SCRIPT = """
import binascii, tinytrain
t = tinytrain.Trainer("model.ttw")
print(t.momentum, t.weight_decay)
x = bytearray(784)
losses = []
t.apply()
for step in range({steps}):
    for i in range(784):
        x[i] = (i * (37 + step) + (i * i >> 3) * step) & 255
    t.lr = 0.03125 if step % 3 else 0.00390625
    t.momentum = 0.875 if step < 50 else 0.5
    t.weight_decay = 0.0078125
    f = t.step if step % 10 == 9 else t.accumulate
    losses.append(int(f(x, step % 10) * 1048576 + 0.5))
    if step % 10 == 7:
        t.apply()
print(binascii.crc32(t.state), losses[::7])
for name, value in (("momentum", 1.0), ("momentum", -0.5), ("momentum", True),
                    ("weight_decay", float("inf")), ("weight_decay", "1")):
    try:
        setattr(t, name, value)
        print("accepted")
    except (ValueError, TypeError) as error:
        print(type(error).__name__)
print(t.momentum, t.weight_decay)
t.reset()
print(binascii.crc32(t.state))
"""
REFUSALS = "ValueError\nValueError\nTypeError\nValueError\nTypeError\n"


def example(step: int) -> np.ndarray:
    i = np.arange(784)
    return (i * (37 + step) + (i * i >> 3) * step & 255).astype(np.uint8).view(np.int8)


def rates(step: int) -> dict[str, float]:
    momentum = 0.875 if step < 50 else 0.5
    lr = 0.03125 if step % 3 else 0.00390625
    return {"lr": lr, "momentum": momentum, "decay": 0.0078125}


def in_simulator(built: Build, steps: int) -> str:
    """What the script prints, computed by the simulator."""
    trainer = Trainer(built.compiled)
    losses = []
    for step in range(steps):
        now = rates(step)
        trainer.lr, trainer.momentum = now["lr"], now["momentum"]
        trainer.weight_decay = now["decay"]
        train = trainer.step if step % 10 == 9 else trainer.accumulate
        losses.append(int(np.float32(train(example(step), step % 10) * 2**20)))
        if step % 10 == 7:
            trainer.apply()
    text = f"0.0 0.0\n{zlib.crc32(trainer.state)} {losses[::7]}\n" + REFUSALS
    text += f"{trainer.momentum} {trainer.weight_decay}\n"
    trainer.reset()
    return text + f"{zlib.crc32(trainer.state)}\n"


@pytest.mark.parametrize(
    ("board", "update", "steps", "optimizer"),
    [
        *((name, "all", 200, OPTIMIZER) for name in ("unix", "m0")),
        *slow(("m4f", "all", 200, OPTIMIZER), ("rv32", "all", 200, OPTIMIZER)),
        ("unix", "last:3", 60, Optimizer(True, True, True, 12)),
        ("unix", "last:3", 60, Optimizer(True, True, True, 8, "nearest")),
        ("pico", "last:2", 20, OPTIMIZER),
        *slow(("m0", "last:3", 60, Optimizer(True, True, True, 12))),
        *slow(("pico", "last:2", 200, OPTIMIZER)),
    ],
    indirect=["board"],
)
def test_boards_equal_the_simulator(board, update, steps, optimizer, run_on, tmp_path):
    built = build(MODEL, BOARDS[board], update, tmp_path / "build", Options(optimizer=optimizer))
    put = [built.folder / "tinytrain.mpy", built.folder / "model.ttw"]
    result = run_on(board, SCRIPT.format(steps=steps), put=put, timeout=600)
    assert result.returncode == 0, result.stderr
    assert result.stdout == in_simulator(built, steps)


class Reference:
    """The numpy kernels in the place of the compiled ones."""

    def call(self, name: str, *args: object) -> int | None:
        result: int | None = KERNELS[name](*args)
        return result


@pytest.mark.parametrize(
    "optimizer", [OPTIMIZER, Optimizer(True, True, True, 12), Optimizer(master=8)], ids=str
)
def test_numpy_equals_the_simulator_after_200_steps(optimizer):
    compiled = compile_model(MODEL, "last:1", Options(optimizer=optimizer))
    trainer = Trainer(compiled)
    machine = Interpreter(compiled.program, compiled.arena, Reference())
    for step in range(200):
        now = rates(step)
        trainer.lr, trainer.weight_decay = now["lr"], now["decay"]
        if optimizer.momentum:
            trainer.momentum = now["momentum"]
        batch = optimizer.batch and step % 10 != 9
        train = trainer.accumulate if batch else trainer.step
        loss = machine.step(example(step), step % 10, accumulate=batch, **now)
        assert int(np.float32(train(example(step), step % 10) * 2**20)) == loss
        if batch and step % 10 == 7:
            trainer.apply()
            machine.apply(**now)
    state = machine.memory[Region.STATE][: trainer.state.size]
    assert state.tobytes() == trainer.state.tobytes()
