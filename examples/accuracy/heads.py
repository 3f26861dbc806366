"""A head with other classes, put on a graph."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tinytrain.ir.graph import Graph
from tinytrain.ir.ops import Conv2D, Hwc, Softmax
from tinytrain.ir.tensor import Quantization, Tensor
from tinytrain.passes.head import require_head


def with_classes(graph: Graph, classes: int, *, keep: int = 0) -> Graph:
    """The graph with `classes` outputs, of which the first `keep` are the old ones.

    New rows of the weight are zero, with the mean of the old rows' scales; new logits start at 0.
    """
    node = require_head(graph).node
    assert isinstance(node.attrs, Conv2D) and node.weight is not None and node.bias is not None
    window = node.attrs.window
    attrs = replace(node.attrs, window=replace(window, output=Hwc(1, 1, classes)))
    old_scales = graph.tensors[node.weight].quant.channels(window.output.c)
    scales = np.full(classes, old_scales.mean(), np.float32)
    scales[:keep] = old_scales[:keep]
    source = graph.tensors[node.inputs[0]].quant.per_tensor
    bias_scales = (scales.astype(np.float64) * source).astype(np.float32)
    tensors = dict(graph.tensors)
    for name, scale in ((node.weight, scales), (node.bias, bias_scales)):
        tensors[name] = _rows(tensors[name], classes, keep, scale)
    nodes = [replace(n, attrs=attrs) if n is node else n for n in graph.nodes]
    for i, n in enumerate(nodes):
        if n.output == node.output or isinstance(n.attrs, Softmax):
            tensors[n.output] = replace(tensors[n.output], shape=(1, classes))
        if isinstance(n.attrs, Softmax):
            nodes[i] = replace(n, attrs=replace(n.attrs, depth=classes))
    output = replace(graph.output, shape=(1, classes))
    return replace(graph, tensors=tensors, nodes=tuple(nodes), output=output)


def _rows(old: Tensor, rows: int, keep: int, scales: np.ndarray) -> Tensor:
    """A tensor with `rows` rows: the first `keep` as they were, the others zero."""
    assert old.data is not None
    data = np.zeros((rows, *old.shape[1:]), old.data.dtype)
    data[:keep] = old.data[:keep]
    quant = Quantization(tuple(float(s) for s in scales), 0, 0)
    return Tensor(old.name, data.shape, old.dtype, quant, data)
