"""What a graph is lowered to: kernel calls over named buffers, the input of planner and printer."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tinytrain.ir.loss import Loss
from tinytrain.ir.optimizer import PLAIN, Optimizer


class GradientType(Enum):
    """What the mantissas of a build's gradients are."""

    INT16 = "int16"
    INT8 = "int8"

    @property
    def bits(self) -> int:
        """Width of a mantissa."""
        return 8 if self is GradientType.INT8 else 16

    @property
    def largest(self) -> int:
        """Largest |mantissa|."""
        return int((1 << (self.bits - 1)) - 1)


class Region(Enum):
    """Where a buffer lives."""

    WEIGHTS = "weights"  # constants in model.ttw, read in place
    STATE = "state"  # trained parameters
    ARENA = "arena"  # everything else, placed by the planner


@dataclass(frozen=True, slots=True)
class Buffer:
    """Bytes in one region. offset: known for WEIGHTS and STATE, -1 in the ARENA until planned.

    ctype: element type for the generated code ("int8_t", "tt_grad", ...).
    label: what people should read in reports.
    """

    name: str
    region: Region
    nbytes: int
    ctype: str
    offset: int = -1
    label: str = ""


class Runtime(Enum):
    """Arguments that only the caller of a step knows."""

    LABEL = "label"
    TARGET = "target"
    RATE = "rate"
    LOSS = "loss"
    COUNT = "count"  # of examples whose gradients were added up


@dataclass(frozen=True, slots=True)
class View:
    """Bytes of an ARENA buffer from `offset` on, where a call works on a part of it."""

    buffer: Buffer
    offset: int


@dataclass(frozen=True, slots=True)
class Tile:
    """A coordinate that moves with the loop around a call: start + step * index of the loop.

    axis: 0 for the loop over rows of tiles, 1 for the one over columns.
    """

    axis: int
    start: int
    step: int


StructValue = Mapping[str, "int | StructValue"]
Argument = Buffer | View | Tile | Runtime | int | StructValue | None
"""A struct by field names, a scalar, a buffer, a run-time argument, or None for NULL."""


class Overlap(NamedTuple):
    """Arguments of a call that may overlap if the input is not needed later: the output begins
    `lead` bytes before the input, or a multiple of `step` more (all multiples of 4)."""

    output: str
    source: str
    lead: int
    step: int


@dataclass(frozen=True, slots=True)
class KernelCall:
    """One call: kernel name and arguments by the names in the kernel's declaration.

    node: name of the graph node it belongs to. comment: for readers of the generated C.
    macs: multiply-accumulates.
    inplace: (output, input) arguments that may share memory if the input is not needed later.
    overlap: arguments that may overlap then.
    body: calls that take the place of a kernel, run for each of `tiles` (rows, columns); the outer
    call then stands for all of them: its buffers are theirs, its macs the sum.
    extra_macs: those of `macs` that computing tile by tile adds.
    """

    kernel: str
    args: Mapping[str, Argument]
    node: str = ""
    comment: str = ""
    macs: int = 0
    inplace: tuple[tuple[str, str], ...] = ()
    body: tuple[KernelCall, ...] = ()
    tiles: tuple[int, int] = (1, 1)
    extra_macs: int = 0
    overlap: tuple[Overlap, ...] = ()

    def buffers(self) -> Iterator[Buffer]:
        """The buffers that the call touches, those of its body included."""
        for argument in self.args.values():
            if isinstance(argument, Buffer):
                yield argument
            elif isinstance(argument, View):
                yield argument.buffer
        for call in self.body:
            yield from call.buffers()


@dataclass(frozen=True, slots=True)
class Initial:
    """Copy `nbytes` from WEIGHTS to STATE at reset (the rest of the state becomes zero)."""

    state_offset: int
    weights_offset: int
    nbytes: int


Integers = npt.NDArray[np.int8] | npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class StateField:
    """One array of the state: for reports, checkpoints and tests.

    kind: "weight" (int8), "bias" (int32), and of each perhaps its "fraction" below the integer
    (int8 in units of 2^-8, or uint8 with two of 2^-4), its "velocity" (momentum), and over a batch
    its "sum" in units of 2 to the "sum_exponent" (int32);
    scale: real value of one unit of the integer, per output channel.
    axis: the axis of the array that counts output channels.
    columns: what of a weight's last axis is trained: input channels, or the outputs of a depthwise
    layer. An array with another shape than the tensor's holds these and no others.
    """

    layer: str
    tensor: str
    kind: str
    dtype: str
    shape: tuple[int, ...]
    offset: int
    scale: tuple[float, ...]
    axis: int
    columns: tuple[int, ...] = ()

    def values(self, state: npt.NDArray[np.uint8]) -> npt.NDArray[np.generic]:
        """The array in the bytes of a state, as a view."""
        dtype = np.dtype(self.dtype)
        nbytes = math.prod(self.shape) * dtype.itemsize
        return state[self.offset : self.offset + nbytes].view(dtype).reshape(self.shape)

    def whole(self, data: Integers, state: npt.NDArray[np.uint8]) -> Integers:
        """A copy of the tensor's untrained `data` with the integers that are in a state."""
        values, result = self.values(state), data.copy()
        columns = range(data.shape[-1]) if values.shape == data.shape else self.columns
        result[..., list(columns)] = values
        return result


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """Everything that runs on the device, before memory planning.

    loss: None if the program only predicts. classes: labels are 0 .. classes - 1 (softmax), or one
    bit for each (sigmoid); else 0. loss_bits: losses are in units of 2^-loss_bits.
    """

    name: str
    predict: tuple[KernelCall, ...]
    step: tuple[KernelCall, ...]
    input: Buffer
    output: Buffer
    classes: int
    weights: npt.NDArray[np.uint8]
    state_bytes: int
    state: tuple[StateField, ...]
    initial: Sequence[Initial]
    loss: Loss | None = None
    loss_bits: int = 20
    gradients: GradientType = GradientType.INT16
    optimizer: Optimizer = PLAIN
    apply: tuple[KernelCall, ...] = ()
