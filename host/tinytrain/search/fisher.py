"""The cheap estimate of contributions: Fisher information, from one pass over the examples.

The gain of a parameter is estimated by the mean of its squared gradient over the examples, in the
units of the dequantized model: what a step of gradient descent takes off the loss, per learning
rate. As in the simulated analysis, the last layer is measured in the model as it is, and the others
after it was trained.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tinytrain.compilation import plan_scheme
from tinytrain.ir.graph import Graph, Node
from tinytrain.ir.program import Program
from tinytrain.passes.update import LayerUpdate, Scheme, layers, trained_columns
from tinytrain.search.contribution import Gains
from tinytrain.search.evaluate import goal_at
from tinytrain.search.study import Study, rate_factors
from tinytrain.sim.gradients import GradientReader
from tinytrain.sim.player import Player


def fisher_gains(
    study: Study,
    parts: Sequence[tuple[str, LayerUpdate]],
    head: str,
    base: Scheme,
    rate: float,
    tick: Callable[[int, int], None],
) -> Gains:
    """Gains of all parts; those of a layer come in growing order.

    rate: with which the last layer is trained. tick: called with done and total.
    """
    of_head = [part for part in parts if part[0] == head]
    others = [part for part in parts if part[0] != head]
    total = len(study.x) * (bool(of_head) + bool(others))
    found: dict[str, npt.NDArray[np.float64]] = {}
    if of_head:
        found |= _information(study, study.graph, dict(of_head), 0, total, tick)
    if others:
        done = total - len(study.x)
        found |= _information(study, _after(study, base, rate), dict(others), done, total, tick)
    nodes = {n.name: n for n in layers(study.graph)}
    return {(name, u): _gain(nodes[name], u, found) for name, u in parts}


def _information(
    study: Study,
    graph: Graph,
    scheme: Scheme,
    done: int,
    total: int,
    tick: Callable[[int, int], None],
) -> Mapping[str, npt.NDArray[np.float64]]:
    """Mean squared gradients by "layer/weight" and "layer/bias", in the tensors' shapes."""
    program, _ = plan_scheme(graph, scheme, study.options)
    reader = GradientReader(graph, scheme, program)
    sums: dict[str, npt.NDArray[np.float64]] = {}
    for i, x in enumerate(study.x):
        gradients = reader.read(None, x, goal_at(study, program, i))
        for name, gradient in gradients.items():
            sums[name] = sums.get(name, np.zeros(gradient.shape)) + gradient**2
        tick(done + i + 1, total)
    return {name: total_of / len(study.x) for name, total_of in sums.items()}


def _gain(
    node: Node, update: LayerUpdate, information: Mapping[str, npt.NDArray[np.float64]]
) -> float:
    gain = float(information[f"{node.name}/bias"].sum()) if update.bias else 0.0
    if update.channels:
        columns = list(trained_columns(node, update))
        gain += float(information[f"{node.name}/weight"][..., columns].sum())
    return gain


def _after(study: Study, base: Scheme, rate: float) -> Graph:
    """The graph with what fine-tuning with `base` makes of its parameters."""
    if not base:
        return study.graph
    program, arena = plan_scheme(study.graph, base, study.options)
    player = Player(program, arena)
    rng = np.random.default_rng(study.settings.seed)
    epochs = [rng.permutation(len(study.x)) for _ in range(study.settings.epochs)]
    steps = np.concatenate(epochs)
    kept: dict[int, Any] = {}
    for i, factor in zip(steps.tolist(), rate_factors(len(steps)).tolist(), strict=True):
        if i not in kept:
            kept[i] = player.prepare(study.x[i], training=True), goal_at(study, program, i)
        player.set_rate(rate * factor)
        player.step(*kept[i])
    return _with_state(study.graph, base, program, player)


def _with_state(graph: Graph, scheme: Scheme, program: Program, player: Player) -> Graph:
    tensors, nodes = dict(graph.tensors), {n.name: n for n in layers(graph)}
    for field in program.state:
        if field.kind in ("weight", "bias"):
            dtype = np.dtype(field.dtype)
            nbytes = int(np.prod(field.shape)) * dtype.itemsize
            raw = player.state[field.offset : field.offset + nbytes].view(dtype)
            old = tensors[field.tensor]
            assert old.data is not None
            data = old.data.copy()
            if field.shape == data.shape:
                data[...] = raw.reshape(field.shape)
            else:  # the trained channels alone
                columns = list(trained_columns(nodes[field.layer], scheme[field.layer]))
                data[..., columns] = raw.reshape(*data.shape[:-1], -1)
            tensors[field.tensor] = replace(old, data=data)
    return replace(graph, tensors=tensors)
