"""Forward nodes as kernel calls: one function per op, each filling the kernel's parameters."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinytrain.errors import BuildError
from tinytrain.ir.graph import Graph, Node
from tinytrain.ir.ops import (
    Add,
    AveragePool2D,
    Conv2D,
    DepthwiseConv2D,
    Embedding,
    MaxPool2D,
    Mean,
    Pad,
    Requantize,
    Softmax,
    Window,
)
from tinytrain.ir.program import Argument, Buffer, KernelCall, Overlap, Region, StructValue, View
from tinytrain.kernels.header import declarations
from tinytrain.kernels.library import library
from tinytrain.passes.fixed_point import INT32_MAX, multipliers, quantize_multiplier
from tinytrain.passes.storage import Constants, LayerStorage


@dataclass(frozen=True, slots=True)
class ForwardContext:
    """What a forward rule sees: tensors as buffers, stored parameters, the clip mask or None.

    pieces: large weights that are trained in part are never put together as a whole.
    """

    graph: Graph
    constants: Constants
    storage: Mapping[str, LayerStorage]
    buffers: Mapping[str, Buffer | View]
    clips: Mapping[str, Buffer]
    pieces: bool = True

    def zero(self, tensor: str) -> int:
        """Zero point of a tensor."""
        return self.graph.tensors[tensor].quant.zero_point

    def scale(self, tensor: str) -> float:
        """Scale of a tensor with one scale."""
        return self.graph.tensors[tensor].quant.per_tensor


def window_struct(w: Window) -> StructValue:
    """A window as tt_window."""
    return {
        "in_h": w.input.h,
        "in_w": w.input.w,
        "in_c": w.input.c,
        "out_h": w.output.h,
        "out_w": w.output.w,
        "out_c": w.output.c,
        "kernel_h": w.kernel[0],
        "kernel_w": w.kernel[1],
        "stride_h": w.stride[0],
        "stride_w": w.stride[1],
        "pad_top": w.pad[0],
        "pad_left": w.pad[1],
    }


def weight_scales(graph: Graph, node: Node) -> npt.NDArray[np.float64]:
    """Real value of one weight unit, per output channel."""
    assert node.weight is not None and isinstance(node.attrs, Conv2D | DepthwiseConv2D)
    return graph.tensors[node.weight].quant.channels(node.attrs.window.output.c)


def sum_scales(graph: Graph, node: Node) -> npt.NDArray[np.float64]:
    """Real value of one unit of a layer's 32-bit sums, per output channel."""
    scale = graph.tensors[node.inputs[0]].quant.per_tensor
    weights = weight_scales(graph, node)
    if isinstance(node.attrs, Conv2D) and node.attrs.float32_product:
        return (np.float32(scale) * weights.astype(np.float32)).astype(np.float64)
    return scale * weights


def macs_of(node: Node) -> int:
    """Multiply-accumulates of a node's forward pass, padding included."""
    match node.attrs:
        case Conv2D(window=w):
            return w.output.size * w.kernel[0] * w.kernel[1] * w.input.c
        case DepthwiseConv2D(window=w):
            return w.output.size * w.kernel[0] * w.kernel[1]
        case _:
            return 0


def scratch(node: Node, kernel: str, p: StructValue, times: int = 1) -> Buffer:
    """Working memory of one call, as large as the kernel says (times `times`)."""
    nbytes = library().scratch_bytes(kernel, p) * times
    name = f"{node.name}#{kernel.removeprefix('tt_')}#scratch"
    return Buffer(name, Region.ARENA, nbytes, "int32_t")


def conv_params(c: ForwardContext, node: Node) -> StructValue:
    """tt_conv2d of a convolution or depthwise convolution."""
    assert isinstance(node.attrs, Conv2D | DepthwiseConv2D)
    return {
        "window": window_struct(node.attrs.window),
        "in_zero": c.zero(node.inputs[0]),
        "out_zero": c.zero(node.output),
        "low": node.attrs.low,
        "high": node.attrs.high,
    }


def _layer(c: ForwardContext, node: Node) -> dict[str, Argument]:
    reals = sum_scales(c.graph, node) / c.scale(node.output)
    multiplier, shift = multipliers(reals)
    stored = c.storage[node.name]
    p = conv_params(c, node)
    _check_sizes(c.graph, node, FORWARD[node.op].kernel, p)  # before the kernel is asked
    working = scratch(node, FORWARD[node.op].kernel, p)
    return {
        "p": p,
        "x": c.buffers[node.inputs[0]],
        "w": stored.weight,
        "bias": stored.bias,
        "multiplier": c.constants.add(f"{node.name}_multiplier", multiplier),
        "shift": c.constants.add(f"{node.name}_shift", shift),
        "y": c.buffers[node.output],
        "clip": c.clips.get(node.name),
        "scratch": working if working.nbytes else None,
    }


def embedding_struct(node: Node) -> StructValue:
    """tt_embedding of an embedding."""
    a = node.attrs
    assert isinstance(a, Embedding)
    return {"rows": a.rows, "count": a.count, "depth": a.depth}


def _embedding(c: ForwardContext, node: Node) -> dict[str, Argument]:
    return {
        "p": embedding_struct(node),
        "x": c.buffers[node.inputs[0]],
        "w": c.storage[node.name].weight,
        "y": c.buffers[node.output],
    }


def _add(c: ForwardContext, node: Node) -> dict[str, Argument]:
    assert isinstance(node.attrs, Add)
    a, b = node.inputs
    twice_larger = 2 * max(c.scale(a), c.scale(b))
    factors = {
        "a": c.scale(a) / twice_larger,
        "b": c.scale(b) / twice_larger,
        "out": twice_larger / ((1 << 20) * c.scale(node.output)),
    }
    p: dict[str, int] = {
        "size": c.graph.tensors[a].size,
        "a_zero": c.zero(a),
        "b_zero": c.zero(b),
        "out_zero": c.zero(node.output),
        "low": node.attrs.low,
        "high": node.attrs.high,
    }
    for name, real in factors.items():
        p[f"{name}_multiplier"], p[f"{name}_shift"] = quantize_multiplier(real)
        if p[f"{name}_shift"] > 0:
            raise BuildError(
                f"{c.graph.name}: {node.source}: output scale {c.scale(node.output):g} is too "
                f"small beside its inputs' {c.scale(a):g} and {c.scale(b):g}; the reference "
                "refuses it too"
            )
    buffers = c.buffers
    return {"p": p, "a": buffers[a], "b": buffers[b], **_output(c, node)}


def _output(c: ForwardContext, node: Node) -> dict[str, Argument]:
    return {"y": c.buffers[node.output], "clip": c.clips.get(node.name)}


def _pool(c: ForwardContext, node: Node) -> dict[str, Argument]:
    assert isinstance(node.attrs, AveragePool2D | MaxPool2D)
    p: StructValue = {
        "window": window_struct(node.attrs.window),
        "low": node.attrs.low,
        "high": node.attrs.high,
    }
    return {"p": p, "x": c.buffers[node.inputs[0]], **_output(c, node)}


def _mean(c: ForwardContext, node: Node) -> dict[str, Argument]:
    assert isinstance(node.attrs, Mean)
    a = node.attrs
    multiplier, shift = mean_multiplier(c.scale(node.inputs[0]) / c.scale(node.output), a.count)
    p: StructValue = {
        "outer": a.outer,
        "count": a.count,
        "inner": a.inner,
        "in_zero": c.zero(node.inputs[0]),
        "out_zero": c.zero(node.output),
        "shift": shift,
        "multiplier": multiplier,
    }
    return {"p": p, "x": c.buffers[node.inputs[0]], **_output(c, node)}


def mean_multiplier(real: float, count: int) -> tuple[int, int]:
    """Rescaling and division by count in one multiplier, as TFLM's QuantizedMeanOrSum forms it."""
    multiplier, shift = quantize_multiplier(real)
    spread = min(count.bit_length() - 1, 32, 31 + shift)
    return (multiplier << spread) // count, shift - spread


def pad_struct(node: Node) -> StructValue:
    """tt_pad of a pad node."""
    a = node.attrs
    assert isinstance(a, Pad)
    return {
        "in_h": a.input.h,
        "in_w": a.input.w,
        "channels": a.input.c,
        "out_h": a.output.h,
        "out_w": a.output.w,
        "pad_top": a.pad[0],
        "pad_left": a.pad[1],
        "value": a.value,
    }


def _pad(c: ForwardContext, node: Node) -> dict[str, Argument]:
    return {"p": pad_struct(node), "x": c.buffers[node.inputs[0]], "y": c.buffers[node.output]}


def _requantize(c: ForwardContext, node: Node) -> dict[str, Argument]:
    assert isinstance(node.attrs, Requantize)
    source, result = node.inputs[0], node.output
    multiplier, shift = quantize_multiplier(c.scale(source) / c.scale(result))
    p: StructValue = {
        "size": c.graph.tensors[source].size,
        "in_zero": c.zero(source),
        "out_zero": c.zero(result),
        "low": node.attrs.low,
        "high": node.attrs.high,
        "identity": int(node.attrs.identity),
        "shift": shift,
        "multiplier": multiplier,
    }
    return {"p": p, "x": c.buffers[source], **_output(c, node)}


SOFTMAX_INPUT_BITS = 5
SOFTMAX_MAX_DEPTH = 4095  # the kernel's sum of a row has 12 integer bits


def _softmax(c: ForwardContext, node: Node) -> dict[str, Argument]:
    assert isinstance(node.attrs, Softmax)
    a = node.attrs
    if a.depth > SOFTMAX_MAX_DEPTH:
        raise BuildError(
            f"{c.graph.name}: {node.source}: softmax over {a.depth} values; at most "
            f"{SOFTMAX_MAX_DEPTH} are supported: cut the softmax off the model"
        )
    real = a.beta * c.scale(node.inputs[0]) * (1 << (31 - SOFTMAX_INPUT_BITS))
    multiplier, shift = quantize_multiplier(min(real, float(INT32_MAX)))
    radius = ((1 << SOFTMAX_INPUT_BITS) - 1) * 2.0 ** (31 - SOFTMAX_INPUT_BITS) / 2.0**shift
    p: StructValue = {
        "rows": a.rows,
        "depth": a.depth,
        "shift": shift,
        "diff_min": max(-32768, -math.floor(radius)),
        "multiplier": multiplier,
    }
    return {"p": p, "x": c.buffers[node.inputs[0]], "y": c.buffers[node.output]}


@dataclass(frozen=True, slots=True)
class Lowering:
    """The kernel of an op, how to fill its arguments, and what may share memory."""

    kernel: str
    arguments: Callable[[ForwardContext, Node], dict[str, Argument]]
    inplace: tuple[tuple[str, str], ...] = ()


FORWARD: Mapping[str, Lowering] = {
    "conv2d": Lowering("tt_conv2d_s8", _layer),
    "depthwise_conv2d": Lowering("tt_depthwise_conv2d_s8", _layer),
    "embedding": Lowering("tt_embedding_s8", _embedding),
    "add": Lowering("tt_add_s8", _add, (("y", "a"), ("y", "b"))),
    "average_pool2d": Lowering("tt_average_pool2d_s8", _pool),
    "max_pool2d": Lowering("tt_max_pool2d_s8", _pool),
    "mean": Lowering("tt_mean_s8", _mean),
    "pad": Lowering("tt_pad_s8", _pad),
    "requantize": Lowering("tt_requantize_s8", _requantize, (("y", "x"),)),
    "softmax": Lowering("tt_softmax_s8", _softmax, (("y", "x"),)),
}


def lower_node(c: ForwardContext, node: Node) -> KernelCall:
    """The kernel call of a node."""
    rule = FORWARD[node.op]
    shape = "x".join(str(d) for d in c.graph.tensors[node.output].shape)
    comment = f"{node.name}: {node.output} {shape}"
    try:
        args = rule.arguments(c, node)
    except (OverflowError, ZeroDivisionError) as error:
        raise BuildError(
            f"{c.graph.name}: {node.source}: the scales of {node.inputs[0]} and {node.output} are "
            "too far apart for a multiplier; quantize the model with a representative data set"
        ) from error
    _check_sizes(c.graph, node, rule.kernel, args["p"])
    overlap = _overlap(node, rule.kernel, args["p"])
    macs = macs_of(node)
    return KernelCall(rule.kernel, args, node.name, comment, macs, rule.inplace, overlap=overlap)


def _overlap(node: Node, kernel: str, p: Argument) -> tuple[Overlap, ...]:
    """How far y has to begin before x, as the kernel says, for both to overlap."""
    assert isinstance(p, Mapping)
    lead = library().lead_bytes(kernel, p)
    if lead < 0:
        return ()
    assert isinstance(node.attrs, DepthwiseConv2D)
    return (Overlap("y", "x", lead, math.lcm(4, node.attrs.window.input.c)),)


def _check_sizes(graph: Graph, node: Node, kernel: str, p: Argument) -> None:
    """BuildError naming the op where a size is beyond what the kernel's parameters can hold."""
    struct = declarations().function(kernel).params_struct
    assert struct is not None and isinstance(p, Mapping)
    try:
        declarations().check(struct, p)
    except BuildError as error:
        raise BuildError(
            f"{graph.name}: {node.source}: {error}; no axis may be longer than 32767"
        ) from error
