"""Runs a planned program call by call on the kernel library, without compiling anything.

The tests' quick way to execute graphs, and the way to look at what a step computes on its way,
such as the gradients of all parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import product
from typing import Protocol

import numpy as np
import numpy.typing as npt

from tinytrain.ir.program import (
    Argument,
    Buffer,
    KernelCall,
    Program,
    Region,
    Runtime,
    Tile,
    View,
)
from tinytrain.kernels.header import declarations
from tinytrain.kernels.library import library, rate_buffer
from tinytrain.plan.arena import Arena

Bytes = npt.NDArray[np.uint8]
Input = npt.NDArray[np.int8] | npt.NDArray[np.int32]
"""Of a model: int8, or int32 indices."""


class Kernels(Protocol):
    """Library, or something else that runs kernels by name."""

    def call(self, name: str, *args: object) -> int | None:
        """Run a kernel on arguments in the order of its declaration."""


Watcher = Callable[[KernelCall, Mapping[str, Bytes]], None]
"""Called after each kernel call with the call and its buffers by argument name."""


class Interpreter:
    """The memory of one model instance and its execution; methods as tt_model.h's functions."""

    def __init__(self, program: Program, arena: Arena, kernels: Kernels | None = None) -> None:
        """Allocate state and arena and reset the state."""
        self.program = program
        self.offsets = arena.offsets
        self.kernels = kernels or library(bits=program.gradients.bits)
        self.memory = {
            Region.WEIGHTS: _aligned_copy(program.weights),
            Region.STATE: _aligned_zeros(program.state_bytes),
            Region.ARENA: _aligned_zeros(arena.nbytes),
        }
        self.loss = np.zeros(1, np.int32)
        self.rate = rate_buffer(0.0)
        self.reset()

    def reset(self) -> None:
        """Copy the untrained parameters into the state."""
        state, weights = self.memory[Region.STATE], self.memory[Region.WEIGHTS]
        state[:] = 0
        for c in self.program.initial:
            source = weights[c.weights_offset : c.weights_offset + c.nbytes]
            state[c.state_offset : c.state_offset + c.nbytes] = source

    def view(self, buffer: Buffer) -> Bytes:
        """The bytes of a buffer."""
        offset = self.offsets[buffer.name] if buffer.offset < 0 else buffer.offset
        return self.memory[buffer.region][offset : offset + buffer.nbytes]

    def predict(self, x: Input, watch: Watcher | None = None) -> npt.NDArray[np.int8]:
        """Input (any shape) to int8 output (flat)."""
        self.view(self.program.input)[:] = x.reshape(-1).view(np.uint8)
        self._run(self.program.predict, watch, {})
        return self.view(self.program.output).view(np.int8).copy()

    def step(
        self,
        x: Input,
        label: int,
        lr: float,
        watch: Watcher | None = None,
        target: npt.NDArray[np.int8] | None = None,
        *,
        momentum: float = 0.0,
        decay: float = 0.0,
        accumulate: bool = False,
    ) -> int:
        """One training step, or one example of a batch; the loss in units of 2^-loss_bits."""
        self.view(self.program.input)[:] = x.reshape(-1).view(np.uint8)
        counts = self.memory[Region.STATE][:8].view(np.uint32)
        self.rate = rate_buffer(
            lr, int(counts[0]), momentum=momentum, decay=decay, accumulate=accumulate
        )
        self._run(self.program.step, watch, {Runtime.LABEL: label, Runtime.TARGET: target})
        counts[0] += np.uint32(1)
        if accumulate:
            counts[1] += np.uint32(1)
        return int(self.loss[0])

    def apply(self, lr: float, *, momentum: float = 0.0, decay: float = 0.0) -> None:
        """Update with the mean gradient of the batch."""
        counts = self.memory[Region.STATE][:8].view(np.uint32)
        if counts[1]:
            self.rate = rate_buffer(lr, int(counts[0]), momentum=momentum, decay=decay)
            self._run(self.program.apply, None, {Runtime.COUNT: int(counts[1])})
            counts += np.array([1, -int(counts[1])]).astype(np.uint32)

    def _run(
        self,
        calls: tuple[KernelCall, ...],
        watch: Watcher | None,
        given: Mapping[Runtime, object],
    ) -> None:
        for call, values in self.resolve(calls, given):
            self.kernels.call(call.kernel, *declarations().function(call.kernel).arrange(values))
            if watch is not None:
                buffers = {k: v for k, v in values.items() if isinstance(v, np.ndarray)}
                watch(call, buffers)

    def resolve(
        self, calls: Iterable[KernelCall], given: Mapping[Runtime, object]
    ) -> Iterator[tuple[KernelCall, dict[str, object]]]:
        """Calls of kernels with their arguments as the library takes them, in this memory."""
        runtime = {Runtime.LOSS: self.loss, Runtime.RATE: self.rate, **given}
        for call, tile in tiled(calls):
            yield call, {k: self._argument(a, runtime, tile) for k, a in call.args.items()}

    def _argument(
        self, argument: Argument, runtime: Mapping[Runtime, object], tile: tuple[int, int]
    ) -> object:
        match argument:
            case Buffer():
                return self.view(argument)
            case View(buffer, offset):
                return self.view(buffer)[offset:]
            case Tile(axis, start, step):
                return start + step * tile[axis]
            case Runtime():
                return runtime[argument]
            case _:
                return argument


def tiled(calls: Iterable[KernelCall]) -> Iterator[tuple[KernelCall, tuple[int, int]]]:
    """The calls in the order of execution, each with its tile; (0, 0) outside of loops."""
    for call in calls:
        if not call.body:
            yield call, (0, 0)
            continue
        for tile in product(range(call.tiles[0]), range(call.tiles[1])):
            yield from ((inner, tile) for inner in call.body)


def _aligned_zeros(nbytes: int) -> Bytes:
    return np.zeros((nbytes + 3) // 4, np.uint32).view(np.uint8)


def _aligned_copy(data: Bytes) -> Bytes:
    memory = _aligned_zeros(data.size)
    memory[: data.size] = data
    return memory
