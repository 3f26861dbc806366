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
    tensors = dict(graph.tensors)
    for f in fields:
        if f.kind not in ("weight", "bias"):
            continue
        data = np.frombuffer(state, np.dtype(f.dtype), int(np.prod(f.shape)), f.offset)
        tensors[f.tensor] = replace(tensors[f.tensor], data=data.reshape(f.shape).copy())
    return replace(graph, tensors=tensors)
