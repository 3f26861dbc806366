"""How large a gradient's mantissas may be: proofs that no sum of the backward pass overflows.

Each function returns the largest |mantissa| of the gradient that an op reads for which the op's
sums stay below 2^31; docs/NUMERICS.md has the inequalities.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from tinytrain.errors import BuildError
from tinytrain.ir.graph import Graph, Node
from tinytrain.ir.ops import (
    AveragePool2D,
    Conv2D,
    DepthwiseConv2D,
    Embedding,
    MaxPool2D,
    Window,
)
from tinytrain.passes.autodiff import GradKind, GradOp
from tinytrain.passes.fixed_point import INT32_MAX, below_power_of_two
from tinytrain.passes.head import Head
from tinytrain.passes.lower_forward import sum_scales
from tinytrain.passes.update import Scheme

SMALLEST_LIMIT = 127
MANTISSA_MAX = 32767
HEADROOM_MAX = 8


def limits(
    graph: Graph, scheme: Scheme, ops: tuple[GradOp, ...], largest: int = MANTISSA_MAX
) -> Mapping[str, int]:
    """The limit of every gradient, 2^k - 1: what its type and all ops that read it can bear."""
    bound: dict[str, int] = {op.output: largest for op in ops if op.output is not None}
    for op in ops:
        for gradient in op.inputs:
            bound[gradient] = min(bound[gradient], _bearable(graph, scheme, op))
    result = {name: below_power_of_two(b) for name, b in bound.items()}
    for op in ops:
        if op.output is not None and result[op.output] < SMALLEST_LIMIT:
            raise BuildError(
                f"{graph.name}: {op.node.source}: sums of the backward pass are too long for 32 "
                f"bits (mantissas of {op.output} would be limited to {bound[op.output]}); "
                "freeze this layer"
            )
    return result


def _bearable(graph: Graph, scheme: Scheme, op: GradOp) -> int:
    attrs = op.node.attrs
    match op.kind:
        case GradKind.INPUT if isinstance(attrs, Conv2D):
            return INT32_MAX // max(1, conv_weight_sum(graph, scheme, op.node))
        case GradKind.INPUT if isinstance(attrs, DepthwiseConv2D):
            return INT32_MAX // max(1, depthwise_weight_sum(graph, scheme, op.node))
        case GradKind.INPUT if isinstance(attrs, AveragePool2D):
            return INT32_MAX // average_pool_sum(attrs.window)
        case GradKind.INPUT if isinstance(attrs, MaxPool2D):
            return INT32_MAX // (attrs.window.kernel[0] * attrs.window.kernel[1])
        case GradKind.WEIGHT if isinstance(attrs, Conv2D | DepthwiseConv2D):
            return INT32_MAX // (attrs.window.output.w * input_span(graph, op.node))
        case GradKind.WEIGHT if isinstance(attrs, Embedding):
            return INT32_MAX // attrs.count
        case GradKind.BIAS if isinstance(attrs, Conv2D | DepthwiseConv2D):
            return INT32_MAX // (attrs.window.output.h * attrs.window.output.w)
        case _:
            return MANTISSA_MAX


def input_span(graph: Graph, node: Node) -> int:
    """Largest |x - zero point| of a node's input."""
    zero = graph.tensors[node.inputs[0]].quant.zero_point
    return max(127 - zero, zero + 128)


def _magnitudes(graph: Graph, scheme: Scheme, node: Node) -> npt.NDArray[np.int64]:
    """|w|, or what it can become by training."""
    assert node.weight is not None
    data = graph.tensors[node.weight].data
    assert data is not None
    magnitude = np.abs(data.astype(np.int64))
    if node.name in scheme and scheme[node.name].channels:
        magnitude = np.maximum(magnitude, 127)
    return magnitude


def conv_weight_sum(graph: Graph, scheme: Scheme, node: Node) -> int:
    """Largest sum of |w| that one input element meets: over output channels and taps."""
    return int(_magnitudes(graph, scheme, node).sum(axis=(0, 1, 2)).max())


def depthwise_weight_sum(graph: Graph, scheme: Scheme, node: Node) -> int:
    """As conv_weight_sum, over taps and the output channels of one input channel."""
    assert isinstance(node.attrs, DepthwiseConv2D)
    per_output = _magnitudes(graph, scheme, node).sum(axis=(0, 1, 2)) + 1
    return int(per_output.reshape(-1, node.attrs.multiplier).sum(axis=1).max())


def forward_sum(graph: Graph, scheme: Scheme, node: Node) -> int:
    """Largest |sum (x - zero) * w| of one output."""
    magnitude = _magnitudes(graph, scheme, node)
    axes = (0, 1, 2) if node.op == "depthwise_conv2d" else (1, 2, 3)
    return int(magnitude.sum(axis=axes).max()) * input_span(graph, node)


def headroom(graph: Graph, scheme: Scheme, node: Node, limit: int) -> int:
    """By how many bits a layer's dx may shift dy up before anything is rounded.

    For int8 mantissas, whose few bits channels of small weight scales would lose; int16 ones of the
    usual limit leave no room.
    """
    is_conv = isinstance(node.attrs, Conv2D)
    most = (conv_weight_sum if is_conv else depthwise_weight_sum)(graph, scheme, node)
    bits = 0
    while bits < HEADROOM_MAX and limit << (bits + 1) <= min(
        MANTISSA_MAX, INT32_MAX // max(1, most)
    ):
        bits += 1
    return bits


def bias_limit(graph: Graph, scheme: Scheme, node: Node) -> int:
    """Largest |bias| that training may reach: forward sums and updates stay below 2^31."""
    return max(0, min(2**30, INT32_MAX - forward_sum(graph, scheme, node)))


LOGIT_MAX = 2.0**18  # in real value: 2^30 in units of 2^-12


def _output_room(graph: Graph, scheme: Scheme, node: Node, largest: float) -> int:
    """What is left for the head's bias, in units of its sums, so that outputs stay in range."""
    scale = float(sum_scales(graph, node).max())
    most = INT32_MAX if scale * INT32_MAX <= largest else int(largest / scale) - 1
    return min(most, INT32_MAX) - forward_sum(graph, scheme, node)


def head_bias_limit(graph: Graph, scheme: Scheme, node: Node, largest: float = LOGIT_MAX) -> int:
    """As bias_limit for the layer whose sums enter a loss that takes |output| <= largest."""
    return max(0, _output_room(graph, scheme, node, largest))


def largest_bias(graph: Graph, node: Node) -> int:
    """The largest |bias| of a layer as the model has it."""
    data = graph.tensors[node.bias].data if node.bias is not None else None
    return 0 if data is None else int(np.abs(data.astype(np.int64)).max())


def check_logits(graph: Graph, scheme: Scheme, head: Head, largest: float = LOGIT_MAX) -> None:
    """BuildError if the head's outputs could leave the fixed point of the loss."""
    node = head.node
    if head.sums:
        fits = largest_bias(graph, node) <= _output_room(graph, scheme, node, largest)
    else:
        fits = 255 * graph.tensors[node.output].quant.per_tensor < largest
    if not fits:
        raise BuildError(
            f"{graph.name}: {node.source}: the logits of this head could exceed {largest:.0f}, "
            "which the loss cannot take; its scales are far from those of a classifier"
        )


def row_shift(window: Window, span: int, limit: int) -> int:
    """By how much each row's sum of a weight gradient is shifted down before rows are added."""
    row, shift = window.output.w * span * limit, 0
    while window.output.h * ((row >> shift) + 1) > INT32_MAX:
        shift += 1
    return shift


def average_pool_bits(window: Window) -> int:
    """Fraction bits of 1 / n for the largest window."""
    n = min(window.kernel[0], window.input.h) * min(window.kernel[1], window.input.w)
    if n >= 1 << 17:
        raise BuildError(f"an average over {n:,} values is too long to train through")
    return 15 + n.bit_length() - 1


def average_pool_sum(window: Window) -> int:
    """Largest sum of round(2^bits / n) over the windows that cover one input pixel."""
    bits = average_pool_bits(window)
    rows = _taps(window.input.h, window.output.h, window.kernel[0], window.stride[0], window.pad[0])
    cols = _taps(window.input.w, window.output.w, window.kernel[1], window.stride[1], window.pad[1])
    total = np.zeros((window.input.h, window.input.w), np.int64)
    for top, bottom in rows:
        for left, right in cols:
            n = (bottom - top) * (right - left)
            if n > 0:
                total[top:bottom, left:right] += ((1 << bits) + n // 2) // n
    return max(1, int(total.max()))


def _taps(size: int, out: int, kernel: int, stride: int, pad: int) -> list[tuple[int, int]]:
    starts = [i * stride - pad for i in range(out)]
    return [(max(0, s), min(size, s + kernel)) for s in starts]
