"""A fresh head: the last layer replaced by an untrained one with another number of outputs.

Its weights start small, bell-shaped and always the same; its scales leave room for training:

- int8 weights reach RANGE standard deviations of the start, or as far as the weights of the layer
  that is replaced, whichever is more: those were trained on the same features.
- The int8 output reaches OUTPUT_RANGE in both directions, or as far as the old one. The loss sees
  the unrounded sums; only `predict` and `classify` see this output.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tinytrain.errors import UpdateError
from tinytrain.ir.graph import Graph, Node, Port
from tinytrain.ir.ops import Conv2D, Softmax
from tinytrain.ir.tensor import Quantization, Tensor
from tinytrain.ir.verify import verify

SEED = 1
MAX_CLASSES = 4096
RANGE = 6.0
START = 0.5  # standard deviation of the logits at the start, for features of a typical size
FEATURES = 8.0  # the range of int8 is about that many times a feature's root mean square
OUTPUT_RANGE = 16.0


@dataclass(frozen=True, slots=True)
class _Head:
    """The tensors of the new layer."""

    weight: Tensor
    bias: Tensor
    output: Tensor


def replace_head(graph: Graph, classes: int, seed: int = SEED) -> Graph:
    """The graph with `classes` fresh outputs; a softmax at the end stays."""
    if not 1 <= classes <= MAX_CLASSES:
        raise UpdateError(f"--classes {classes}: expected 1 .. {MAX_CLASSES}")
    node = _last_layer(graph)
    fresh = _fresh(graph, node, classes, seed)
    attrs = node.attrs
    assert isinstance(attrs, Conv2D)
    window = replace(attrs.window, output=replace(attrs.window.output, c=classes))
    new = replace(
        node,
        inputs=(node.inputs[0], fresh.weight.name, fresh.bias.name),
        attrs=Conv2D(window),
    )
    position = graph.nodes.index(node)
    tensors = dict(graph.tensors) | {t.name: t for t in (fresh.weight, fresh.bias, fresh.output)}
    nodes = [*graph.nodes[:position], new]
    for after in graph.nodes[position + 1 :]:
        assert isinstance(after.attrs, Softmax)
        nodes.append(replace(after, attrs=replace(after.attrs, depth=classes)))
        old = tensors[after.output]
        tensors[old.name] = replace(old, shape=_resize(old.shape, classes))
    used = {name for n in nodes for name in (*n.inputs, n.output)}
    tensors = {name: t for name, t in tensors.items() if name in used}
    output = replace(graph.output, shape=_resize(graph.output.shape, classes))
    return verify(replace(graph, tensors=tensors, nodes=tuple(nodes), output=output))


def without_softmax(graph: Graph) -> Graph:
    """The graph without a softmax at its end, which means nothing to labels that stand alone."""
    last = graph.producer(graph.output.tensor)
    if last is None or last.op != "softmax":
        return graph
    nodes = tuple(n for n in graph.nodes if n is not last)
    output = Port(last.inputs[0], graph.output.shape)
    tensors = {name: t for name, t in graph.tensors.items() if name != last.output}
    return verify(replace(graph, tensors=tensors, nodes=nodes, output=output))


def _last_layer(graph: Graph) -> Node:
    node = graph.producer(graph.output.tensor)
    if node is not None and isinstance(node.attrs, Softmax) and node.attrs.rows == 1:
        node = graph.producer(node.inputs[0])
    what = "nothing" if node is None else f"{node.source or node.name} ({node.op})"
    if node is None or not isinstance(node.attrs, Conv2D):
        raise UpdateError(
            f"{graph.name}: --classes replaces a fully connected layer or 1x1 convolution at the "
            f"end, but the model ends with {what}"
        )
    output = node.attrs.window.output
    if output.h * output.w != 1:
        raise UpdateError(
            f"{graph.name}: --classes replaces a layer with one output pixel, but {what} has "
            f"{output.h}x{output.w}"
        )
    return node


def _resize(shape: tuple[int, ...], classes: int) -> tuple[int, ...]:
    """A shape with one axis that is not 1 (or none: then the last), which becomes `classes`."""
    axis = max(range(len(shape)), key=lambda i: (shape[i], i))
    return (*shape[:axis], classes, *shape[axis + 1 :])


def _fresh(graph: Graph, node: Node, classes: int, seed: int) -> _Head:
    assert node.weight is not None
    old, source = graph.tensors[node.weight], graph.tensors[node.inputs[0]]
    assert old.data is not None
    x_scale = source.quant.per_tensor
    fan_in = old.size // old.shape[0]
    deviation = START * FEATURES / (255 * x_scale * math.sqrt(fan_in))
    old_scales = old.quant.channels(old.shape[0])
    largest = float(
        (np.abs(old.data.astype(np.float64)).reshape(old.shape[0], -1).max(1) * old_scales).max()
    )
    scale = _float32(max(RANGE * deviation, largest) / 127)
    data = np.rint(_bell(seed, classes * fan_in) * deviation / scale).astype(np.int8)
    y = graph.tensors[node.output]
    reach = max(127 - y.quant.zero_point, y.quant.zero_point + 128) * y.quant.per_tensor
    output = Quantization((_float32(max(reach, OUTPUT_RANGE) / 127),), 0)
    name = f"{node.name}_{classes}"
    return _Head(
        Tensor(
            f"{name}_weight",
            (classes, *old.shape[1:]),
            "int8",
            Quantization((scale,) * classes, 0, 0),
            data.reshape(classes, *old.shape[1:]),
        ),
        Tensor(
            f"{name}_bias",
            (classes,),
            "int32",
            Quantization((x_scale * scale,) * classes, 0, 0),
            np.zeros(classes, np.int32),
        ),
        replace(y, shape=_resize(y.shape, classes), quant=output),
    )


def _float32(x: float) -> float:
    return float(np.float32(x))


def _bell(seed: int, n: int) -> npt.NDArray[np.float64]:
    """Sums of four uniform numbers, mean 0 and deviation 1, within 3.5: nearly normal, and the same
    with every version of numpy, whose raw bits are fixed."""
    raw = np.random.PCG64(seed).random_raw(n)
    parts = np.stack([(raw >> np.uint64(16 * i)) & np.uint64(0xFFFF) for i in range(4)])
    centred = (parts.astype(np.int64).sum(axis=0) - 2 * 65535).astype(np.float64)
    bell: npt.NDArray[np.float64] = centred / (65536 / math.sqrt(3))  # one's variance: 65536^2 / 12
    return bell
