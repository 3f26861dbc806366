"""How well the model does after fine-tuning with a scheme: the integer simulation itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinytrain.compilation import plan_scheme
from tinytrain.ir.graph import Graph
from tinytrain.ir.loss import Loss
from tinytrain.ir.program import Program
from tinytrain.passes.update import Scheme
from tinytrain.search.study import Study, rate_factors
from tinytrain.sim.goal import Goal, Int8, goal_of
from tinytrain.sim.interpreter import Input
from tinytrain.sim.player import Bytes, Player

PREPARED_LIMIT = 256 << 20
"""Bytes of frozen activations that one simulation keeps; above, they are computed anew."""


@dataclass(frozen=True, slots=True, order=True)
class Score:
    """What is compared, first things first.

    expected: mean probability that the model gives to the right answer (softmax, sigmoid): the
    accuracy of a model that draws its answers by their probabilities. quality: the accuracy itself,
    which jumps by whole points where examples are few. Both are minus the mean squared error (mse).
    """

    expected: float
    quality: float


def evaluate(study: Study, scheme: Scheme, number: int) -> tuple[Score, ...]:
    """Fine-tune on split `number` with each of the learning rates; the scores in their order.

    An empty scheme gives the model as it is.
    """
    program, arena = plan_scheme(study.graph, scheme, study.options)
    player = Player(program, arena)
    split = study.split(number)
    keep = len(study.x) * player.prepared_bytes <= PREPARED_LIMIT
    test = _Prepared(player, study.x, training=False, keep=keep)
    if not scheme:
        return (score(study, split.tested, _predict(player, test, split.tested)),)
    goals = {i: goal_at(study, program, i) for i in np.unique(split.steps).tolist()}
    train = _Prepared(player, study.x, training=True, keep=keep)
    factors = rate_factors(len(split.steps))
    scores = []
    for rate in study.settings.rates:
        player.reset()
        for i, factor in zip(split.steps.tolist(), factors.tolist(), strict=True):
            player.set_rate(rate * factor)
            player.step(train(i), goals[i])
        scores.append(score(study, split.tested, _predict(player, test, split.tested)))
    return tuple(scores)


class _Prepared:
    """The frozen beginning of the model run on each example, once or whenever asked."""

    def __init__(self, player: Player, x: Input, *, training: bool, keep: bool) -> None:
        self._make: Callable[[int], Bytes] = lambda i: player.prepare(x[i], training=training)
        self._kept: dict[int, Bytes] | None = {} if keep else None

    def __call__(self, i: int) -> Bytes:
        if self._kept is None:
            return self._make(i)
        if i not in self._kept:
            self._kept[i] = self._make(i)
        return self._kept[i]


def goal_at(study: Study, program: Program, i: int) -> Goal:
    """What example i is to be learned as."""
    y = study.y[i]
    return goal_of(study.graph, program, study.x[i], y if y.ndim else int(y))


def _predict(player: Player, test: _Prepared, rows: npt.NDArray[np.intp]) -> Int8:
    return np.stack([player.predict(test(i)) for i in rows.tolist()])


def score(study: Study, rows: npt.NDArray[np.intp], outputs: Int8) -> Score:
    """Of int8 outputs [rows, outputs] for these examples."""
    graph, y = study.graph, study.y[rows]
    quant = graph.tensors[graph.output.tensor].quant
    real = (outputs.astype(np.float64) - quant.zero_point) * quant.per_tensor
    match study.options.loss:
        case Loss.SOFTMAX.value:
            picked = np.take_along_axis(_probabilities(graph, real), y[:, None], 1)
            return Score(float(picked.mean()), float(np.mean(outputs.argmax(1) == y)))
        case Loss.SIGMOID.value:
            wanted = y.reshape(outputs.shape) > 0
            right = (outputs > quant.zero_point) == wanted
            given = 1 / (1 + np.exp(np.where(wanted, -real, real)))
            return Score(float(given.mean()), float(right.mean()))
        case _:
            distance = (outputs.astype(np.float64) - y.reshape(outputs.shape)) * quant.per_tensor
            error = -float(np.mean(distance**2))
            return Score(error, error)


def _probabilities(graph: Graph, real: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Of outputs that are these already, or logits."""
    if graph.nodes[-1].op == "softmax":
        return real
    powers = np.exp(real - real.max(1, keepdims=True))
    normal: npt.NDArray[np.float64] = powers / powers.sum(1, keepdims=True)
    return normal
