"""What a step learns towards, checked: a label, or a target for each output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from tinytrain.errors import DataError
from tinytrain.ir.graph import Graph
from tinytrain.ir.loss import Loss
from tinytrain.ir.program import Program

Int8 = npt.NDArray[np.int8]
Wanted: TypeAlias = "npt.ArrayLike | None"
"""As users give it: a label (softmax), 0 or 1 for all classes (sigmoid), int8 or None (mse)."""


NOT_TRAINED: Final = "this build only predicts: build it with an --update scheme to train"


@dataclass(frozen=True, slots=True)
class Goal:
    """The arguments `label` and `target` of tt_run."""

    label: int = 0
    target: Int8 | None = None


def goal_of(
    graph: Graph, program: Program, x: Int8 | npt.NDArray[np.int32] | None, y: Wanted
) -> Goal:
    """Check y for one example x (flat; None for a latent); DataError says what was expected."""
    match program.loss:
        case Loss.SOFTMAX:
            return Goal(_label(program, y))
        case Loss.SIGMOID:
            return Goal(target=_bits(graph, program, y))
        case Loss.MSE if y is None and x is not None:
            return Goal(1, _like_input(graph, x))
        case Loss.MSE:
            return Goal(target=_output(graph, y))
        case None:
            raise DataError(NOT_TRAINED)


def _label(program: Program, y: Wanted) -> int:
    if isinstance(y, bool) or not isinstance(y, int | np.integer):
        raise DataError(f"the label must be a whole number, not {type(y).__name__}")
    if not 0 <= y < program.classes:
        raise DataError(f"label {y}: expected 0 .. {program.classes - 1}")
    return int(y)


def _bits(graph: Graph, program: Program, y: Wanted) -> Int8:
    array = np.asarray(y)
    if array.dtype != bool and not np.issubdtype(array.dtype, np.integer):
        raise DataError(f"the target must be {program.classes} times 0 or 1, not {array.dtype}")
    _check_shape(graph, array)
    if array.min() < 0 or array.max() > 1:
        raise DataError(f"the target must be 0 or 1, not {array.min()} .. {array.max()}")
    return np.ascontiguousarray(array.reshape(-1).astype(np.int8))


def _output(graph: Graph, y: Wanted) -> Int8:
    if y is None:
        raise DataError("a target is needed beside a latent: it does not have the input")
    array = np.asarray(y)
    if array.dtype != np.int8:
        raise DataError(
            f"the target must be int8, not {array.dtype}; real values go through quantize_target()"
        )
    _check_shape(graph, array)
    return np.ascontiguousarray(array.reshape(-1))


def _check_shape(graph: Graph, array: npt.NDArray[np.generic]) -> None:
    shape, size = graph.output.shape, graph.tensors[graph.output.tensor].size
    if array.size != size or array.shape not in (shape, shape[1:], (size,)):
        raise DataError(f"the target must have shape {shape}, not {array.shape}")


def _like_input(graph: Graph, x: Int8 | npt.NDArray[np.int32]) -> Int8:
    if x.dtype != np.int8:
        raise DataError("a target is needed: the input is indices")
    if graph.tensors[graph.output.tensor].size != x.size:
        raise DataError(
            f"a target is needed: the model's output has another size ({graph.output.shape}) than "
            f"its input ({graph.input.shape})"
        )
    return np.ascontiguousarray(x.view(np.int8))
