"""Names come from model files: none of them may be taken for one of lowering's own buffers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from support.zoo import ZOO
from tinytrain.compilation import compile_graph
from tinytrain.errors import GraphError
from tinytrain.ir import Graph, verify
from tinytrain.sim.interpreter import Interpreter

HOSTILE = ("step_b", "b", "d_b", "logits", "d_d_b", "conv2d_1_clip", "d_b_1", "loss")


def renamed(graph: Graph, names: tuple[str, ...]) -> Graph:
    activations = [graph.input.tensor, *(n.output for n in graph.nodes)]
    new = dict(zip(activations, names, strict=False))
    tensors = {new.get(k, k): replace(t, name=new.get(k, k)) for k, t in graph.tensors.items()}
    nodes = tuple(
        replace(
            n,
            inputs=tuple(new.get(i, i) for i in n.inputs),
            output=new.get(n.output, n.output),
        )
        for n in graph.nodes
    )
    ports = {
        side: replace(port, tensor=new.get(port.tensor, port.tensor))
        for side, port in (("input", graph.input), ("output", graph.output))
    }
    return replace(graph, tensors=tensors, nodes=nodes, **ports)


@pytest.mark.parametrize("shift", range(4))
def test_names_of_tensors_do_not_matter(shift: int) -> None:
    model = ZOO["residual"](1)
    graph, x = model.graph(), model.noise(5)
    names = HOSTILE[shift:] + HOSTILE[:shift]
    losses = []
    for variant in (graph, verify(renamed(graph, names))):
        compiled = compile_graph(variant, "all")
        machine = Interpreter(compiled.program, compiled.arena)
        losses.append([machine.step(x, label % 2, 0.05) for label in range(4)])
    np.testing.assert_array_equal(losses[0], losses[1])


def test_the_reserved_character_is_refused() -> None:
    graph = ZOO["residual"](1).graph()
    with pytest.raises(GraphError, match="must not contain #"):
        verify(renamed(graph, ("d#4",)))
