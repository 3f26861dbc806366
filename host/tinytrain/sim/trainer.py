"""A Trainer on the host: the methods of the one on the board, running the same generated C."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from tinytrain.compilation import Compiled
from tinytrain.errors import DataError
from tinytrain.ir.loss import Loss
from tinytrain.ir.program import Buffer, Runtime
from tinytrain.plan.latent import Latent, find_latent
from tinytrain.sim import checkpoint
from tinytrain.sim.arguments import (
    NO_LATENT,
    check_out,
    checked_budget,
    checked_input,
    checked_latent,
    quantize_real,
    quantized,
)
from tinytrain.sim.description import describe
from tinytrain.sim.evaluation import Example, fraction_right, mean_loss
from tinytrain.sim.factors import Factors
from tinytrain.sim.goal import NOT_TRAINED, Goal, Int8, Wanted, goal_of
from tinytrain.sim.gradients import gradients
from tinytrain.sim.interpreter import Input
from tinytrain.sim.module import module_of
from tinytrain.sim.run import Run, loss_value


class Trainer(Factors):
    """Fine-tunes and runs one model; bit for bit what `tinytrain.Trainer` does on a board.

    Attributes: name, input_shape, output_shape (tuples, batch included), input_scale,
    input_zero_point, indices (what those of an int32 input have to be below; 0 for an int8 input),
    output_scale, output_zero_point, classes, loss ("softmax", "sigmoid", "mse", or "none" for a
    build that only predicts), ram (bytes of arena and state), latent_size (of what encode()
    returns; 0: nothing), state (uint8 view of the trained parameters), lr (learning rate, float32,
    0.01 at first), momentum and weight_decay (float32, 0 at first; only builds that reserve them
    take other values).
    """

    def __init__(self, compiled: Compiled) -> None:
        """Compile the model's C (once; then from the cache) and reset the state."""
        graph, program, arena = compiled.graph, compiled.program, compiled.arena
        super().__init__(compiled, module_of(compiled))
        self.name = graph.name
        self._weights = np.frombuffer(program.weights.tobytes() + bytes(4), np.uint8)
        self._arena = np.zeros(arena.nbytes // 4 + 1, np.uint32).view(np.uint8)
        self._state = np.zeros(program.state_bytes // 4 + 1, np.uint32).view(np.uint8)
        source, result = graph.tensors[graph.input.tensor], graph.tensors[graph.output.tensor]
        self.input_shape, self.output_shape = graph.input.shape, graph.output.shape
        self.input_scale = source.quant.per_tensor
        self.input_zero_point = source.quant.zero_point
        self.output_scale = result.quant.per_tensor
        self.output_zero_point = result.quant.zero_point
        self.classes, self.indices = program.classes, graph.indices
        self.loss = program.loss.value if program.loss else "none"
        self.ram = arena.nbytes + program.state_bytes
        self._latent = find_latent(program)
        self.latent_size = self._latent.nbytes if self._latent else 0
        self._turn = 0  # counts what uses the arena or changes parameters
        self.reset()

    @property
    def state(self) -> npt.NDArray[np.uint8]:
        """The trained parameters as bytes, a view: number of steps (uint32), then the arrays that
        `parameters()` names."""
        self._open()
        return self._state[: self.compiled.program.state_bytes]

    def parameters(self) -> Mapping[str, npt.NDArray[Any]]:
        """The arrays of the state by "layer/kind", views; see StateField for kinds."""
        self._open()
        return {f"{f.layer}/{f.kind}": f.values(self._state) for f in self.compiled.program.state}

    def reset(self) -> None:
        """Forget all training."""
        module = self._open()
        self._turn += 1
        module.lib.tt_model_reset(*self._memory()[:2])

    def save(self, where: checkpoint.Where) -> checkpoint.Found:
        """Store the state as the newest checkpoint; which slot that is, and its sequence number. A
        step taken in slices is given up.

        where: a path, whose former content goes to `path~`, or an object like MicroPython's block
        devices. What `lr` and the like are set to is not part of it.
        """
        self._can_train()
        self._turn += 1
        return checkpoint.save(where, self.compiled.source.state_hash, self.state.tobytes())

    def load(self, where: checkpoint.Where) -> checkpoint.Found:
        """Take the newest valid checkpoint of the two; which slot, and its sequence number.

        Raises FileNotFoundError if there is none, and DataError for damaged ones and those of other
        models; the state is as it was then.
        """
        self._can_train()
        self._turn += 1
        state, turn = self.state, self._turn
        found, data = checkpoint.load(where, self.compiled.source.state_hash, state.size)
        self._open()
        if self._turn != turn:  # by the code of a block device
            raise DataError("load given up: the Trainer was used for something else")
        state[:] = np.frombuffer(data, np.uint8)
        return found

    def _can_train(self) -> None:
        self._open()
        if self.compiled.program.loss is None:
            raise DataError("the build only predicts: it has no state to save")

    def step(self, x: npt.ArrayLike, y: Wanted = None, *, latent: bool = False) -> float:
        """Forward, backward and update for one example; returns the loss.

        x: int8 of the input's shape (or flat), or if `latent` what encode() made of that; indices:
        integers, or the bytes of int32. y: softmax: the label, 0 .. classes - 1; sigmoid: 0 or 1
        for every class; mse: int8 as the output, or None to learn towards the input.
        """
        return self._learn(x, y, latent=latent)

    def slices(
        self, x: npt.ArrayLike, y: Wanted = None, budget_us: int = 2000, *, latent: bool = False
    ) -> Iterator[float | None]:
        """A step in slices of about budget_us microseconds, or with 0 of one kernel call each: None
        after each slice, the loss after the last one.

        The input is copied at once. The result is that of step(). What uses the Trainer in between
        (step, predict, reset ...) gives the step up: the next slice raises DataError. So does who
        drops the iterator. Parameters that were updated by then stay so, the step does not count.
        """
        budget = checked_budget(budget_us)
        run, turn = self._begin(x, y, latent=latent), self._turn

        def check() -> None:
            self._open()
            if self._turn != turn:
                raise DataError("the step was given up: the Trainer was used for something else")

        def losses() -> Iterator[float | None]:
            for loss in run.slices(budget, check):
                yield None if loss is None else self._loss(loss)

        return losses()

    async def astep(
        self, x: npt.ArrayLike, y: Wanted = None, budget_us: int = 2000, *, latent: bool = False
    ) -> float:
        """As step(), but other tasks get their turn after each slice (see slices)."""
        for loss in self.slices(x, y, budget_us, latent=latent):
            if loss is not None:
                return loss
            await asyncio.sleep(0)
        raise AssertionError("a step ends with its loss")

    def accumulate(self, x: npt.ArrayLike, y: Wanted = None, *, latent: bool = False) -> float:
        """Forward and backward as step, but the gradients are added up for apply(); the loss."""
        self._need("accumulate", self._optimizer.batch, "--batch")
        return self._learn(x, y, latent=latent, accumulate=True)

    def apply(self) -> None:
        """Update with the mean gradient of the examples since the last apply(), if any."""
        self._need("apply", self._optimizer.batch, "--batch")
        self._turn += 1
        weights, state, _ = self._memory()
        self._open().lib.tt_model_apply(weights, state, self._rate())

    def _learn(
        self, x: npt.ArrayLike, y: Wanted, *, latent: bool, accumulate: bool = False
    ) -> float:
        calls = len(self.compiled.program.step)
        return self._loss(self._begin(x, y, latent=latent, accumulate=accumulate).until(calls))

    def _begin(self, x: npt.ArrayLike, y: Wanted, *, latent: bool, accumulate: bool = False) -> Run:
        module = self._open()
        goal = self._goal(x, y, latent=latent)
        self._put(x, self._known_latent().step if latent else self.compiled.program.input)
        first = self._known_latent().step_calls if latent else 0
        rate = self._rate()
        return Run(module, self._memory(), rate, goal, accumulate=accumulate, first=first)

    def _loss(self, loss: int) -> float:
        return loss_value(loss, self.compiled.program.loss_bits)

    def predict(self, x: npt.ArrayLike, out: Int8 | None = None, *, latent: bool = False) -> Int8:
        """The model's int8 output for an input as `step` takes it, in the output's shape."""
        lib, result = self._open().lib, self.compiled.program.output
        if out is not None:
            check_out(out, result.nbytes)
        if latent:
            self._put(x, self._known_latent().predict)
            lib.tt_model_decode(*self._memory())
        else:
            self._put(x, self.compiled.program.input)
            lib.tt_model_predict(*self._memory())
        return self._take(result, self.output_shape, out)

    def encode(self, x: npt.ArrayLike, out: Int8 | None = None) -> Int8:
        """What the frozen layers make of x, `latent_size` int8: the other methods take it in place
        of x if `latent` is true, with the same result and without running those layers.

        DataError where there is none: the first layers are trained, or nothing is.
        """
        lib, latent = self._open().lib, self._known_latent()
        if out is not None:
            check_out(out, latent.nbytes)
        self._put(x, self.compiled.program.input)
        weights, _, arena = self._memory()
        lib.tt_model_encode(weights, arena)
        return self._take(latent.predict, (latent.nbytes,), out)

    def _known_latent(self) -> Latent:
        if self._latent is None:
            raise DataError(NO_LATENT)
        return self._latent

    def classify(self, x: npt.ArrayLike, *, latent: bool = False) -> int:
        """Index of the largest output, the first of equal ones."""
        return int(np.argmax(self.predict(x, latent=latent)))

    def gradients(
        self, x: npt.ArrayLike, y: Wanted = None
    ) -> Mapping[str, npt.NDArray[np.float64]]:
        """The gradients of all trained parameters in real values: "layer/weight", "layer/bias".

        d loss / d w for the dequantized w, as the integer backward pass computes it; nothing is
        updated. A weight of which a fraction of channels is trained has the others as 0.
        """
        self._open()
        goal = self._goal(x, y, latent=False)
        return gradients(self.compiled, self.state, self._checked(x), goal)

    def evaluate(self, examples: Iterable[Example], *, latent: bool = False) -> float:
        """How well the model does on (x, y) pairs, or (latent, y); nothing is learned.

        softmax: the fraction of examples that classify() gets right. sigmoid: the fraction of
        labels, where an output above 0 means 1. mse: the mean loss, a float32 with the lower bits
        cut off.
        """
        match self.compiled.program.loss:
            case None:
                raise DataError(NOT_TRAINED)
            case Loss.MSE:
                steps = self.compiled.program.step
                calls = [Runtime.LOSS in c.args.values() for c in steps].index(True) + 1
                begin = partial(self._begin, latent=latent)
                return self._loss(mean_loss(examples, lambda x, y: begin(x, y).until(calls)))
            case loss:
                goal_of = partial(self._goal, latent=latent)
                predict = partial(self.predict, latent=latent)
                return fraction_right(loss, self.output_zero_point, examples, goal_of, predict)

    def quantize(self, x: npt.ArrayLike, out: Int8 | None = None) -> Int8:
        """The model's int8 input for real values, or for the pixels of an array of uint8.

        Real values: round(x / input_scale) + zero point, saturated; the quotient is rounded to a
        float32, its halves away from zero, as TFLM's QUANTIZE does. Pixels: see `pixels` of info().
        """
        result = quantized(self.compiled.graph, x)
        if out is None:
            return result
        check_out(out, result.size)
        np.copyto(out, result.reshape(out.shape))
        return out

    def info(self) -> dict[str, object]:
        """What the Trainer is and what it takes."""
        steps = self.state[:4].view(np.uint32)
        return describe(self.compiled, int(steps[0]) if steps.size else 0)

    def quantize_target(self, y: npt.ArrayLike) -> Int8:
        """Real values to the int8 of the model's output: targets for `step` with mse."""
        return quantize_real(y, self.output_scale, self.output_zero_point)

    def dequantize(self, y: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """The model's int8 output to real values."""
        q = np.asarray(y, np.float32) - np.float32(self.output_zero_point)
        return (q * np.float32(self.output_scale)).astype(np.float32)

    def deinit(self) -> None:
        """Free the memory; every later call raises DataError."""
        self._module = None
        self._arena = np.zeros(0, np.uint8)

    def __enter__(self) -> Self:
        self._open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.deinit()

    def __repr__(self) -> str:
        """Shapes, quantization and memory on one line."""
        if self._module is None:
            return f"<Trainer {self.name} (closed)>"
        kind = f"int8 (scale {self.input_scale:g}, zero point {self.input_zero_point})"
        if self.indices:
            kind = f"indices below {self.indices}"
        return (
            f"<Trainer {self.name}: {self.input_shape} {kind} -> "
            f"{self.output_shape}, {self.classes} classes, {self.ram} bytes of RAM>"
        )

    def _memory(self) -> tuple[Any, Any, Any]:
        """Weights, state and arena as pointers."""
        take = self._open().ffi.from_buffer
        return (
            take("const uint8_t *", self._weights),
            take("uint8_t *", self._state, require_writable=True),
            take("uint8_t *", self._arena, require_writable=True),
        )

    def _goal(self, x: npt.ArrayLike, y: Wanted, *, latent: bool) -> Goal:
        like = None if latent else self._checked(x)
        return goal_of(self.compiled.graph, self.compiled.program, like, y)

    def _checked(self, x: npt.ArrayLike) -> Input:
        return checked_input(x, self.input_shape, self.indices)

    def _put(self, x: npt.ArrayLike, where: Buffer) -> None:
        is_input = where == self.compiled.program.input
        flat = self._checked(x) if is_input else checked_latent(x, where.nbytes)
        self._turn += 1
        self._bytes(where)[:] = flat.view(np.int8)

    def _take(self, where: Buffer, shape: tuple[int, ...], out: Int8 | None) -> Int8:
        if out is None:
            return self._bytes(where).copy().reshape(shape)
        np.copyto(out, self._bytes(where).reshape(out.shape))
        return out

    def _bytes(self, where: Buffer) -> Int8:
        """A buffer of the arena, a view."""
        start = self.compiled.arena.offsets[where.name]
        return self._arena[start : start + where.nbytes].view(np.int8)
