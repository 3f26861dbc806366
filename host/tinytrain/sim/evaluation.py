"""How well a model does on labelled examples."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt

from tinytrain.errors import DataError
from tinytrain.ir.loss import Loss
from tinytrain.sim.goal import Goal, Wanted

Example = tuple[npt.ArrayLike, Wanted]
Int8 = npt.NDArray[np.int8]


def fraction_right(
    loss: Loss,
    zero: int,
    examples: Iterable[Example],
    goal_of: Callable[[npt.ArrayLike, Wanted], Goal],
    predict: Callable[[npt.ArrayLike], Int8],
) -> float:
    """Of labels predicted: the largest output (softmax), outputs above 0 (sigmoid). zero: of it."""
    count = right = 0
    for x, y in examples:
        goal, output = goal_of(x, y), predict(x).reshape(-1)
        if loss is Loss.SOFTMAX:
            right, count = right + int(np.argmax(output) == goal.label), count + 1
        else:
            assert goal.target is not None
            agree = (output > zero) == goal.target
            right, count = right + int(agree.sum()), count + agree.size
    return right / some(count)


def mean_loss(examples: Iterable[Example], loss: Callable[[npt.ArrayLike, Wanted], int]) -> int:
    """The mean, in the units of the losses, rounded down."""
    losses = [loss(x, y) for x, y in examples]
    return sum(losses) // some(len(losses))


def some(count: int) -> int:
    """The count, which must not be 0."""
    if count == 0:
        raise DataError("evaluate: no examples")
    return count
