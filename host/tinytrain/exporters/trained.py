"""A graph with trained parameters: what a checkpoint makes of the model that was built."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tinytrain.ir.graph import Graph
from tinytrain.ir.program import StateField


def with_state(graph: Graph, fields: Sequence[StateField], state: bytes) -> Graph:
    """The graph whose weights and biases are those of a state; fractions below an integer are
    left out, as the forward pass leaves them out."""
    tensors, raw = dict(graph.tensors), np.frombuffer(state, np.uint8)
    for f in fields:
        if f.kind not in ("weight", "bias"):
            continue
        tensor = tensors[f.tensor]
        assert tensor.data is not None
        tensors[f.tensor] = replace(tensor, data=f.whole(tensor.data, raw))
    return replace(graph, tensors=tensors)
