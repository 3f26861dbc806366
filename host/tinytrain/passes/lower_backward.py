"""The backward pass as kernel calls: one function per op and kind of gradient."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from tinytrain.ir.graph import Graph, Node
from tinytrain.ir.ops import AveragePool2D, Conv2D, DepthwiseConv2D, MaxPool2D, Mean
from tinytrain.ir.program import Argument, KernelCall, StructValue
from tinytrain.passes import bounds
from tinytrain.passes.autodiff import GradKind, GradOp
from tinytrain.passes.backward_context import BackwardContext
from tinytrain.passes.fixed_point import common_exponent, reciprocal
from tinytrain.passes.lower_forward import (
    macs_of,
    pad_struct,
    scratch,
    weight_scales,
    window_struct,
)
from tinytrain.passes.lower_update import lower_bias, lower_weight
from tinytrain.passes.slices import partial_gradient, with_weight


def lower_gradient(c: BackwardContext, op: GradOp) -> tuple[KernelCall, ...]:
    """The kernel calls of one step of the backward pass."""
    if op.kind is GradKind.WEIGHT:
        return lower_weight(c, op)
    if op.kind is not GradKind.INPUT:
        return (RULES[op.kind](c, op),)
    if op.node.op == "conv2d":
        call = partial_gradient(c.forward, op.node, _conv_input(c, op))
        if call is not None:
            return (call,)
    merge, forward = with_weight(c.forward, op.node, f"{op.node.name}#weight#backward")
    return (*merge, INPUT_RULES[op.node.op](replace(c, forward=forward), op))


def gradient_size(graph: Graph, op: GradOp) -> int:
    """Elements of the gradient that an op writes."""
    assert op.output is not None
    tensor = op.output.split("#")[1]
    return graph.tensors[tensor].size


def _struct_size(c: BackwardContext, op: GradOp) -> StructValue:
    assert op.output is not None
    return {"size": gradient_size(c.graph, op), "limit": c.limits[op.output]}


def _clip(c: BackwardContext, op: GradOp) -> KernelCall:
    assert op.output is not None
    args: dict[str, Argument] = {
        "p": _struct_size(c, op),
        "dy": c.gradients[op.inputs[0]],
        "clip": c.forward.clips[op.node.name],
        "dx": c.gradients[op.output],
    }
    return KernelCall("tt_clip_bwd", args, op.node.name, op.output, 0, (("dx", "dy"),))


def _add(c: BackwardContext, op: GradOp) -> KernelCall:
    assert op.output is not None
    args: dict[str, Argument] = {
        "p": _struct_size(c, op),
        "a": c.gradients[op.inputs[0]],
        "b": c.gradients[op.inputs[1]],
        "y": c.gradients[op.output],
    }
    return KernelCall("tt_grad_add", args, op.node.name, op.output, 0, (("y", "a"), ("y", "b")))


def _conv_input(c: BackwardContext, op: GradOp) -> KernelCall:
    node, attrs = op.node, op.node.attrs
    assert isinstance(attrs, Conv2D | DepthwiseConv2D) and op.output is not None
    kernel = f"tt_{node.op}_bwd_input"
    scale, exponent = common_exponent(_useful_scales(c, node))
    headroom = bounds.headroom(c.graph, c.scheme, node, c.limits[op.inputs[0]])
    p: StructValue = {
        "window": window_struct(attrs.window),
        "limit": c.limits[op.output],
        "exponent": exponent - headroom,
        "headroom": headroom,
    }
    args: dict[str, Argument] = {
        "p": p,
        "dy": c.gradients[op.inputs[0]],
        "w": c.forward.storage[node.name].weight,
        "scale": c.forward.constants.add(f"{node.name}_scale", scale),
        "dx": c.gradients[op.output],
        "scratch": scratch(node, kernel, p),
    }
    return KernelCall(kernel, args, node.name, op.output, macs_of(node))


def _useful_scales(c: BackwardContext, node: Node) -> npt.NDArray[np.float64]:
    """Weight scales; 0 where frozen weights are all 0, as those must not set the exponent."""
    assert node.weight is not None
    scales = weight_scales(c.graph, node).copy()
    data = c.graph.tensors[node.weight].data
    assert data is not None
    if not (node.name in c.scheme and c.scheme[node.name].channels):
        axes = (0, 1, 2) if node.op == "depthwise_conv2d" else (1, 2, 3)
        scales[~data.any(axis=axes)] = 0
    return scales


def _average_pool_input(c: BackwardContext, op: GradOp) -> KernelCall:
    assert isinstance(op.node.attrs, AveragePool2D)
    bits = bounds.average_pool_bits(op.node.attrs.window)
    kernel = "tt_average_pool2d_bwd"
    args = _pool_arguments(c, op, kernel, bits)
    return KernelCall(kernel, args, op.node.name, op.output or "")


def _max_pool_input(c: BackwardContext, op: GradOp) -> KernelCall:
    kernel = "tt_max_pool2d_bwd"
    args = _pool_arguments(c, op, kernel, 0)
    args["x"] = c.forward.buffers[op.node.inputs[0]]
    return KernelCall(kernel, args, op.node.name, op.output or "")


def _pool_arguments(c: BackwardContext, op: GradOp, kernel: str, bits: int) -> dict[str, Argument]:
    attrs = op.node.attrs
    assert isinstance(attrs, AveragePool2D | MaxPool2D) and op.output is not None
    p: StructValue = {
        "window": window_struct(attrs.window),
        "limit": c.limits[op.output],
        "reciprocal_bits": bits,
    }
    return {
        "p": p,
        "dy": c.gradients[op.inputs[0]],
        "dx": c.gradients[op.output],
        "scratch": scratch(op.node, kernel, p),
    }


def _mean_input(c: BackwardContext, op: GradOp) -> KernelCall:
    attrs = op.node.attrs
    assert isinstance(attrs, Mean) and op.output is not None
    value, bits = reciprocal(attrs.count)
    p: StructValue = {
        "outer": attrs.outer,
        "count": attrs.count,
        "inner": attrs.inner,
        "limit": c.limits[op.output],
        "reciprocal": value,
        "reciprocal_bits": bits,
    }
    args: dict[str, Argument] = {
        "p": p,
        "dy": c.gradients[op.inputs[0]],
        "dx": c.gradients[op.output],
        "scratch": scratch(op.node, "tt_mean_bwd", p),
    }
    return KernelCall("tt_mean_bwd", args, op.node.name, op.output)


def _pad_input(c: BackwardContext, op: GradOp) -> KernelCall:
    assert op.output is not None
    args: dict[str, Argument] = {
        "p": {"pad": pad_struct(op.node), "limit": c.limits[op.output]},
        "dy": c.gradients[op.inputs[0]],
        "dx": c.gradients[op.output],
    }
    return KernelCall("tt_pad_bwd", args, op.node.name, op.output)


Rule = Callable[[BackwardContext, GradOp], KernelCall]

RULES: Mapping[GradKind, Rule] = {
    GradKind.CLIP: _clip,
    GradKind.ADD: _add,
    GradKind.BIAS: lower_bias,
}

INPUT_RULES: Mapping[str, Rule] = {
    "conv2d": _conv_input,
    "depthwise_conv2d": _conv_input,
    "average_pool2d": _average_pool_input,
    "max_pool2d": _max_pool_input,
    "mean": _mean_input,
    "pad": _pad_input,
}
