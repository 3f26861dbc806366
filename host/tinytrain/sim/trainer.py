"""A Trainer on the host: the methods of the one on the board, running the same generated C."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import ModuleType, TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from tinytrain.compilation import Compiled
from tinytrain.errors import DataError
from tinytrain.ir.optimizer import Optimizer
from tinytrain.ir.program import StateField
from tinytrain.sim import checkpoint
from tinytrain.sim.goal import Goal, Wanted, goal_of
from tinytrain.sim.gradients import gradients
from tinytrain.sim.module import module_of

Int8 = npt.NDArray[np.int8]


class Trainer:
    """Fine-tunes and runs one model; bit for bit what `tinytrain.Trainer` does on a board.

    Attributes: name, input_shape, output_shape (tuples, batch included), input_scale,
    input_zero_point, output_scale, output_zero_point, classes, loss ("softmax", "sigmoid", "mse",
    or "none" for a build that only predicts), ram (bytes of arena and state), state (uint8 view of
    the trained parameters), lr (learning rate, float32, 0.01 at first), momentum and weight_decay
    (float32, 0 at first; only builds that reserve them take other values).
    """

    def __init__(self, compiled: Compiled) -> None:
        """Compile the model's C (once; then from the cache) and reset the state."""
        graph, program, arena = compiled.graph, compiled.program, compiled.arena
        self.compiled = compiled
        self.name = graph.name
        self._module: ModuleType | None = module_of(compiled)
        self._weights = np.frombuffer(program.weights.tobytes() + bytes(4), np.uint8)
        self._arena = np.zeros(arena.nbytes // 4 + 1, np.uint32).view(np.uint8)
        self._state = np.zeros(program.state_bytes // 4 + 1, np.uint32).view(np.uint8)
        self._input = arena.offsets[program.input.name]
        self._output = arena.offsets[program.output.name]
        source, result = graph.tensors[graph.input.tensor], graph.tensors[graph.output.tensor]
        self.input_shape, self.output_shape = graph.input.shape, graph.output.shape
        self.input_scale = source.quant.per_tensor
        self.input_zero_point = source.quant.zero_point
        self.output_scale = result.quant.per_tensor
        self.output_zero_point = result.quant.zero_point
        self.classes = program.classes
        self.loss = program.loss.value if program.loss else "none"
        self.ram = arena.nbytes + program.state_bytes
        self._lr = np.float32(0.01)
        self._momentum = self._weight_decay = np.float32(0)
        self.reset()

    @property
    def lr(self) -> float:
        """The learning rate; finite and not negative, kept as float32."""
        self._open()
        return float(self._lr)

    @lr.setter
    def lr(self, value: float) -> None:
        self._open()
        self._lr = _factor("lr", value)

    @property
    def momentum(self) -> float:
        """v = momentum * v + lr * gradient; w -= v. At least 0, below 1; 0 at first, float32."""
        self._open()
        return float(self._momentum)

    @momentum.setter
    def momentum(self, value: float) -> None:
        self._need("momentum", self._optimizer.momentum, "--momentum")
        self._momentum = _factor("momentum", value, 1.0)

    @property
    def weight_decay(self) -> float:
        """Added to each trained weight's gradient: weight_decay * w. Biases do not decay."""
        self._open()
        return float(self._weight_decay)

    @weight_decay.setter
    def weight_decay(self, value: float) -> None:
        self._need("weight_decay", self._optimizer.decays, "--weight-decay")
        self._weight_decay = _factor("weight_decay", value)

    @property
    def _optimizer(self) -> Optimizer:
        return self.compiled.program.optimizer

    def _need(self, what: str, there: bool, option: str) -> None:
        self._open()
        if not there or self.compiled.program.loss is None:
            raise DataError(f"{what}: not in this build; build with {option}")

    @property
    def state(self) -> npt.NDArray[np.uint8]:
        """The trained parameters as bytes, a view: number of steps (uint32), then the arrays that
        `parameters()` names."""
        self._open()
        return self._state[: self.compiled.program.state_bytes]

    def parameters(self) -> Mapping[str, npt.NDArray[Any]]:
        """The arrays of the state by "layer/kind", views; see StateField for kinds."""
        self._open()
        return {f"{f.layer}/{f.kind}": self._field(f) for f in self.compiled.program.state}

    def _field(self, f: StateField) -> npt.NDArray[Any]:
        dtype = np.dtype(f.dtype)
        nbytes = int(np.prod(f.shape)) * dtype.itemsize
        return self._state[f.offset : f.offset + nbytes].view(dtype).reshape(f.shape)

    def reset(self) -> None:
        """Forget all training."""
        module = self._open()
        module.lib.tt_model_reset(self._in(self._weights), self._out(self._state))

    def save(self, where: checkpoint.Where) -> checkpoint.Found:
        """Store the state as the newest checkpoint; which slot that is, and its sequence number.

        where: a path, whose former content goes to `path~`, or an object like MicroPython's block
        devices. What `lr` and the like are set to is not part of it.
        """
        self._can_train()
        state = self.state.tobytes()
        return checkpoint.save(where, self.compiled.source.state_hash, state)

    def load(self, where: checkpoint.Where) -> checkpoint.Found:
        """Take the newest valid checkpoint of the two; which slot, and its sequence number.

        Raises FileNotFoundError if there is none, and DataError for damaged ones and those of other
        models; the state is as it was then.
        """
        self._can_train()
        state = self.state
        found, data = checkpoint.load(where, self.compiled.source.state_hash, state.size)
        state[:] = np.frombuffer(data, np.uint8)
        return found

    def _can_train(self) -> None:
        self._open()
        if self.compiled.program.loss is None:
            raise DataError("the build only predicts: it has no state to save")

    def step(self, x: npt.ArrayLike, y: Wanted = None) -> float:
        """Forward, backward and update for one example; returns the loss.

        x: int8 of the input's shape (or flat). y: softmax: the label, 0 .. classes - 1; sigmoid: 0
        or 1 for every class; mse: int8 in the output's shape and quantization, or None to learn
        towards the input.
        """
        return self._train("tt_model_step", x, y)

    def accumulate(self, x: npt.ArrayLike, y: Wanted = None) -> float:
        """Forward and backward as step, but the gradients are added up for apply(); the loss."""
        self._need("accumulate", self._optimizer.batch, "--batch")
        return self._train("tt_model_accumulate", x, y)

    def apply(self) -> None:
        """Update with the mean gradient of the examples since the last apply(), if any."""
        self._need("apply", self._optimizer.batch, "--batch")
        state = self._out(self._state)
        self._open().lib.tt_model_apply(self._in(self._weights), state, self._rate())

    def _train(self, function: str, x: npt.ArrayLike, y: Wanted) -> float:
        module = self._open()
        goal = self._goal(x, y)
        self._put(x)
        buffers = self._in(self._weights), self._out(self._state), self._out(self._arena)
        target = module.ffi.NULL
        if goal.target is not None:
            target = module.ffi.from_buffer("const int8_t *", goal.target)
        loss = getattr(module.lib, function)(*buffers, self._rate(), goal.label, target)
        return _loss_value(loss, self.compiled.program.loss_bits)

    def _rate(self) -> Any:
        module = self._open()
        rate = module.ffi.new("tt_rate *")
        module.lib.tt_rate_set(rate, int(self._lr.view(np.uint32)))
        module.lib.tt_momentum_set(rate, int(self._momentum.view(np.uint32)))
        module.lib.tt_decay_set(rate, int(self._weight_decay.view(np.uint32)))
        return rate

    def predict(self, x: npt.ArrayLike, out: Int8 | None = None) -> Int8:
        """Int8 input to the model's int8 output, in the output's shape."""
        module = self._open()
        size = self.compiled.program.output.nbytes
        if out is not None:
            _check_out(out, size)
        self._put(x)
        module.lib.tt_model_predict(
            self._in(self._weights), self._out(self._state), self._out(self._arena)
        )
        result = self._arena[self._output : self._output + size].view(np.int8)
        if out is None:
            return result.copy().reshape(self.output_shape)
        np.copyto(out, result.reshape(out.shape))
        return out

    def classify(self, x: npt.ArrayLike) -> int:
        """Index of the largest output, the first of equal ones."""
        return int(np.argmax(self.predict(x)))

    def gradients(
        self, x: npt.ArrayLike, y: Wanted = None
    ) -> Mapping[str, npt.NDArray[np.float64]]:
        """The gradients of all trained parameters in real values: "layer/weight", "layer/bias".

        d loss / d w for the dequantized w, as the integer backward pass computes it; nothing is
        updated. A weight of which a fraction of channels is trained has the others as 0.
        """
        self._open()
        return gradients(self.compiled, self.state, self._checked(x), self._goal(x, y))

    def quantize(self, x: npt.ArrayLike) -> Int8:
        """Real values to the model's int8 input: round(x / input_scale) + zero point, saturated.

        Halves are rounded away from zero, as TFLM's QUANTIZE does.
        """
        return _quantize(x, self.input_scale, self.input_zero_point)

    def quantize_target(self, y: npt.ArrayLike) -> Int8:
        """Real values to the int8 of the model's output: targets for `step` with mse."""
        return _quantize(y, self.output_scale, self.output_zero_point)

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
        return (
            f"<Trainer {self.name}: {self.input_shape} int8 "
            f"(scale {self.input_scale:g}, zero point {self.input_zero_point}) -> "
            f"{self.output_shape}, {self.classes} classes, {self.ram} bytes of RAM>"
        )

    def _open(self) -> ModuleType:
        if self._module is None:
            raise DataError("the Trainer is closed")
        return self._module

    def _in(self, array: npt.NDArray[np.uint8]) -> Any:
        return self._open().ffi.from_buffer("const uint8_t *", array)

    def _out(self, array: npt.NDArray[np.uint8]) -> Any:
        return self._open().ffi.from_buffer("uint8_t *", array, require_writable=True)

    def _goal(self, x: npt.ArrayLike, y: Wanted) -> Goal:
        return goal_of(self.compiled.graph, self.compiled.program, self._checked(x), y)

    def _checked(self, x: npt.ArrayLike) -> Int8:
        array = np.asarray(x)
        size = self.compiled.program.input.nbytes
        if array.dtype != np.int8:
            raise DataError(
                f"the input must be int8, not {array.dtype}; real values go through quantize()"
            )
        if array.size != size or array.shape not in (
            self.input_shape,
            self.input_shape[1:],
            (size,),
        ):
            raise DataError(f"the input must have shape {self.input_shape}, not {array.shape}")
        return array.reshape(-1)

    def _put(self, x: npt.ArrayLike) -> None:
        flat = self._checked(x)
        self._arena[self._input : self._input + flat.size] = flat.view(np.uint8)


def _factor(name: str, value: float, below: float = float("inf")) -> np.float32:
    """A float32 of at least 0 and below some limit, or DataError."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.floating):
        raise DataError(f"{name} must be a number, not {type(value).__name__}")
    with np.errstate(over="ignore"):
        single = np.float32(value)
    if not 0 <= float(single) < below:
        what = "finite" if below == float("inf") else f"below {below:g}"
        raise DataError(f"{name} must be {what} and not negative, not {value}")
    return np.float32(abs(single))  # no -0.0


def _check_out(out: object, size: int) -> None:
    expected = f"out must be a writable int8 array of {size} elements"
    if not isinstance(out, np.ndarray):
        raise DataError(f"{expected}, not {type(out).__name__}")
    if out.dtype != np.int8 or out.size != size:
        raise DataError(f"{expected}, not {out.dtype} {out.shape}")
    if not out.flags.writeable:
        raise DataError(f"{expected}; this one is read-only")


def _quantize(x: npt.ArrayLike, scale: float, zero: int) -> Int8:
    values = np.asarray(x, np.float32)
    if np.isnan(values).any():
        raise DataError("the input has NaN, which no int8 stands for")
    q = values / np.float32(scale)
    q = np.where(q >= 0, np.floor(q + np.float32(0.5)), np.ceil(q - np.float32(0.5)))
    saturated: Int8 = np.clip(q + zero, -128, 127).astype(np.int8)
    return saturated


def _loss_value(loss: int, bits: int) -> float:
    """As tt_model_loss_bits: a float32 has 24 bits, the lower ones are cut off."""
    cut = max(0, loss.bit_length() - 24)
    return math.ldexp((loss >> cut) << cut, -bits)
