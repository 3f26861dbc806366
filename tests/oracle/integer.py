"""The integer forward pass in numpy, written after the reference kernels of TFLM (not after ours).

Only what autograd needs: the value of each output before it is clamped, which says where the clamp
acted. Its caller compares the clamped value with tflite-micro's, so that a mistake cannot hide.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch

from oracle import ops
from tinytrain.ir.graph import Graph, Node
from tinytrain.ir.ops import (
    Add,
    AveragePool2D,
    Conv2D,
    DepthwiseConv2D,
    Embedding,
    Mean,
    Pad,
    Requantize,
)

Ints = npt.NDArray[np.int64]
Activations = Mapping[str, npt.NDArray[np.int8]]


def quantize_multiplier(real: float) -> tuple[int, int]:
    """QuantizeMultiplier of kernels/internal/quantization_util.cc."""
    if real == 0.0:
        return 0, 0
    q, shift = math.frexp(real)
    fixed = math.floor(q * 2**31 + 0.5)
    if fixed == 2**31:
        fixed, shift = fixed // 2, shift + 1
    return (0, 0) if shift < -31 else (fixed, shift)


def multiply(x: Ints, multiplier: npt.ArrayLike, shift: npt.ArrayLike) -> Ints:
    """MultiplyByQuantizedMultiplier with its two roundings (kernels/internal/common.cc)."""
    s = np.asarray(shift, np.int64)
    product = (x << np.maximum(s, 0)) * np.asarray(multiplier, np.int64)
    total = product + np.where(product >= 0, 1 << 30, 1 - (1 << 30))
    high = np.sign(total) * (np.abs(total) >> 31)  # C divides toward zero
    right = np.maximum(-s, 0)
    mask = (np.int64(1) << right) - 1
    rounded: Ints = (high >> right) + ((high & mask) > (mask >> 1) + (high < 0))
    return rounded


def before_clamp(
    graph: Graph, node: Node, inputs: Activations, integers: ops.Parameters
) -> Ints | None:
    """The output of a node before its clamp, flat; None for an op without one.

    inputs: int8 by tensor name. integers: `ops.parameters(graph, dequantized=False)`.
    """
    quant = graph.tensors[node.output].quant
    operands = [
        (inputs[name].reshape(-1).astype(np.int64), graph.tensors[name].quant)
        for name in node.inputs
        if name in inputs
    ]
    x, source = operands[0]
    centred = x - source.zero_point
    factor = source.per_tensor / quant.per_tensor
    match node.attrs:
        case Conv2D(window=w) | DepthwiseConv2D(window=w):
            sums = _exact(graph, node, centred, integers).reshape(-1, w.output.c)
            pairs = np.array([quantize_multiplier(f) for f in _layer_factors(graph, node)])
            return multiply(sums, *pairs.T).reshape(-1) + quant.zero_point
        case Add():
            return _sum(operands, quant.per_tensor) + quant.zero_point
        case Mean() as a:
            sums = centred.reshape(a.outer, a.count, a.inner).sum(1).reshape(-1)
            return multiply(sums, *_mean_multiplier(factor, a.count)) + quant.zero_point
        case AveragePool2D(window=w):
            parts = ops.pool_sums(torch.tensor(x, dtype=torch.float64), w)
            sums, counts = (p.numpy().reshape(-1).astype(np.int64) for p in parts)
            return np.sign(sums) * ((np.abs(sums) + counts // 2) // counts)
        case Requantize(identity=True):
            return x
        case Requantize():
            return multiply(centred, *quantize_multiplier(factor)) + quant.zero_point
        case Pad() | Embedding():
            return None
        case _:
            return _exact(graph, node, x, integers)


def _sum(operands: list[tuple[Ints, object]], scale: float) -> Ints:
    """ADD (kernels/internal/reference/integer_ops/add.h) without the output's zero point."""
    twice = 2 * max(q.per_tensor for _, q in operands)  # type: ignore[attr-defined]
    total = np.zeros(operands[0][0].size, np.int64)
    for value, q in (operands[0], operands[-1]):  # one operand alone is added to itself
        up = (value - q.zero_point) << 20  # type: ignore[attr-defined]
        total = total + multiply(up, *quantize_multiplier(q.per_tensor / twice))  # type: ignore[attr-defined]
    return multiply(total, *quantize_multiplier(twice / ((1 << 20) * scale)))


def _mean_multiplier(factor: float, count: int) -> tuple[int, int]:
    """QuantizedMeanOrSum (kernels/internal/reference/reduce.h) divides within the multiplier."""
    multiplier, shift = quantize_multiplier(factor)
    spread = min(count.bit_length() - 1, 32, 31 + shift)
    return (multiplier << spread) // count, shift - spread


def _exact(graph: Graph, node: Node, x: Ints, integers: ops.Parameters) -> Ints:
    """The op on integers in float64: exact, since all sums are far below 2^53."""
    values = ops.forward(graph, node, [torch.tensor(x, dtype=torch.float64)], integers)
    return values.numpy().reshape(-1).astype(np.int64)


def _layer_factors(graph: Graph, node: Node) -> npt.NDArray[np.float64]:
    """Input scale * weight scale / output scale; the product is in float32 for a fully connected
    layer with one weight scale, in double for all others."""
    assert node.weight is not None and isinstance(node.attrs, Conv2D | DepthwiseConv2D)
    source = graph.tensors[node.inputs[0]].quant.per_tensor
    weights = graph.tensors[node.weight].quant.channels(node.attrs.window.output.c)
    products = source * weights
    if getattr(node.attrs, "float32_product", False):
        products = (np.float32(source) * weights.astype(np.float32)).astype(np.float64)
    return products / graph.tensors[node.output].quant.per_tensor
