"""Runs a planned program with each call's arguments converted once: nothing has to be compiled.

The same bits as the model's own C, and as fast where kernels and not calls take the time. For those
who try many programs for a short while each, such as the search for update schemes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tinytrain.ir.program import Buffer, KernelCall, Program, Region, Runtime
from tinytrain.kernels.header import declarations
from tinytrain.kernels.library import float_bits, library
from tinytrain.plan.arena import Arena
from tinytrain.sim.goal import Goal
from tinytrain.sim.interpreter import Input, Interpreter

Bytes = npt.NDArray[np.uint8]


class Player:
    """One model instance. What comes before the first trained layer runs once for each example.

    All calls before the first that touches the state give the same for the same input, however long
    one trains. `prepare` runs them and returns what they leave alive in the arena; `step` and
    `predict` go on from there.
    """

    def __init__(self, program: Program, arena: Arena) -> None:
        """Allocate, reset and convert all arguments."""
        machine = Interpreter(program, arena)
        self._machine = machine
        self._step = _Phase(machine, program.step)
        self._predict = _Phase(machine, program.predict)
        self._kernels = library(bits=program.gradients.bits)
        self._rate = self._kernels.ffi.cast("tt_rate *", machine.rate.ctypes.data)
        self._output = machine.view(program.output).view(np.int8)

    @property
    def prepared_bytes(self) -> int:
        """How large what `prepare` returns is, for a step and for a prediction together."""
        return self._step.live_bytes + self._predict.live_bytes

    def reset(self) -> None:
        """Forget all training."""
        self._machine.reset()

    def set_rate(self, lr: float) -> None:
        """The learning rate of the next steps."""
        self._kernels.lib.tt_rate_set(self._rate, float_bits(lr))

    def prepare(self, x: Input, *, training: bool) -> Bytes:
        """Run the frozen beginning on an input (any shape), for `step` or for `predict`."""
        return (self._step if training else self._predict).prepare(x)

    def step(self, prepared: Bytes, goal: Goal) -> int:
        """One training step; the loss in units of 2^-loss_bits."""
        steps = self._machine.memory[Region.STATE][:4].view(np.uint32)
        self._kernels.lib.tt_rate_begin(self._rate, int(steps[0]))
        self._step.finish(prepared, goal)
        steps += np.uint32(1)
        return int(self._machine.loss[0])

    def predict(self, prepared: Bytes) -> npt.NDArray[np.int8]:
        """The int8 output (flat)."""
        self._predict.finish(prepared, None)
        return self._output.copy()

    @property
    def state(self) -> Bytes:
        """The trained parameters, a view."""
        return self._machine.memory[Region.STATE][: self._machine.program.state_bytes]


class _Phase:
    """The calls of `step` or of `predict`, cut before the first that touches the state."""

    def __init__(self, machine: Interpreter, calls: tuple[KernelCall, ...]) -> None:
        program = machine.program
        cut = next((i for i, call in enumerate(calls) if _touches_state(call)), len(calls))
        self._frozen, self._trained = _Calls(machine, calls[:cut]), _Calls(machine, calls[cut:])
        self._input = machine.view(program.input)
        before = _arena_buffers(calls[:cut]) | {program.input.name: program.input}
        after = _arena_buffers(calls[cut:])
        if calls is program.predict:
            after[program.output.name] = program.output
        self._live = [machine.view(before[name]) for name in sorted(before.keys() & after.keys())]

    @property
    def live_bytes(self) -> int:
        return sum(view.size for view in self._live)

    def prepare(self, x: Input) -> Bytes:
        self._input[:] = x.reshape(-1).view(np.uint8)
        self._frozen.run(None)
        return np.concatenate(self._live)

    def finish(self, prepared: Bytes, goal: Goal | None) -> None:
        start = 0
        for view in self._live:
            view[:] = prepared[start : start + view.size]
            start += view.size
        self._trained.run(goal)


class _Calls:
    """Calls with their arguments in C's form; only label and target change from run to run."""

    def __init__(self, machine: Interpreter, calls: tuple[KernelCall, ...]) -> None:
        kernels = library(bits=machine.program.gradients.bits)
        self._ffi = kernels.ffi
        self._calls: list[tuple[Any, list[Any]]] = []
        self._places: dict[Runtime, list[tuple[list[Any], int]]] = {}
        given: dict[Runtime, object] = {Runtime.LABEL: 0, Runtime.TARGET: None}
        for call, values in machine.resolve(calls, given):
            declared = declarations().function(call.kernel)
            arguments = kernels.convert(call.kernel, declared.arrange(values))
            for place, parameter in enumerate(declared.parameters):
                argument = call.args.get(parameter.name)
                if isinstance(argument, Runtime) and argument in given:
                    self._places.setdefault(argument, []).append((arguments, place))
            self._calls.append((getattr(kernels.lib, call.kernel), arguments))

    def run(self, goal: Goal | None) -> None:
        if goal is not None:
            for arguments, place in self._places.get(Runtime.LABEL, ()):
                arguments[place] = goal.label
            for arguments, place in self._places.get(Runtime.TARGET, ()):
                target = goal.target
                pointer = 0 if target is None else target.ctypes.data
                arguments[place] = self._ffi.cast("const int8_t *", pointer)
        for function, arguments in self._calls:
            function(*arguments)


def _touches_state(call: KernelCall) -> bool:
    return any(b.region is Region.STATE for b in call.buffers())


def _arena_buffers(calls: tuple[KernelCall, ...]) -> dict[str, Buffer]:
    return {b.name: b for call in calls for b in call.buffers() if b.region is Region.ARENA}
