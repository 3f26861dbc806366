"""Gradients of parameters and their updates as kernel calls."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from tinytrain.ir.graph import Node
from tinytrain.ir.ops import Conv2D, DepthwiseConv2D, Embedding, Window
from tinytrain.ir.optimizer import BIAS_VELOCITY_BITS, WEIGHT_VELOCITY_BITS, Optimizer
from tinytrain.ir.program import Argument, KernelCall, Runtime, StructValue
from tinytrain.passes import bounds
from tinytrain.passes.autodiff import GradOp
from tinytrain.passes.backward_context import BackwardContext
from tinytrain.passes.fixed_point import normalize15, steps
from tinytrain.passes.lower_forward import (
    embedding_struct,
    macs_of,
    scratch,
    sum_scales,
    weight_scales,
    window_struct,
)
from tinytrain.passes.slices import part_window, take_gradient, take_input
from tinytrain.passes.storage import Planes

WEIGHT_LIMIT = 127


def lower_weight(c: BackwardContext, op: GradOp) -> tuple[KernelCall, ...]:
    """The gradient of a weight and its update; before it, what takes the trained channels out of
    its input and of a depthwise layer's gradient, where they are kept apart."""
    node, attrs = op.node, op.node.attrs
    if isinstance(attrs, Embedding):
        return (_lower_rows(c, op, attrs),)
    assert isinstance(attrs, Conv2D | DepthwiseConv2D)
    stored, channels = c.forward.storage[node.name], c.scheme[node.name].channels
    window = part_window(attrs.window, stored)
    span = bounds.input_span(c.graph, node)
    p: StructValue = {
        "window": window_struct(window),
        "in_zero": c.forward.zero(node.inputs[0]),
        "channels": channels,
        "row_shift": bounds.row_shift(window, span, c.limits[op.inputs[0]]),
    }
    x_scale = c.forward.scale(node.inputs[0])
    reals = x_scale / _nonzero(weight_scales(c.graph, node))
    outputs = window.output.c
    if isinstance(attrs, DepthwiseConv2D):
        outputs = channels * attrs.multiplier
    if stored.part is not None and stored.part.depthwise:
        reals = reals[list(stored.part.columns)]
    kernel = f"tt_{node.op}_bwd_weight"
    d = scratch(node, kernel, p)
    if c.keep:  # all sums, and scratch behind them
        per_tap = 1 if isinstance(attrs, DepthwiseConv2D) else channels
        d = replace(d, nbytes=4 * outputs * math.prod(window.kernel) * per_tap + d.nbytes)
    before, arguments = _gradient_and_input(c, op)
    variant = _variant(c)
    if variant:
        optimizer = _optimizer(c, node, WEIGHT_VELOCITY_BITS, WEIGHT_LIMIT)
        trained = _rows(window, channels, outputs, isinstance(attrs, DepthwiseConv2D))
        p = {"gradient": p, "trained": {**trained, "optimizer": optimizer}}
    args: dict[str, Argument] = {
        "p": p,
        **arguments,
        **_update_arguments(c, node, "weight", reals),
        "w": stored.part.weight if stored.part else stored.weight,
        **_planes(c, stored.weight_planes),
        "d": d,
    }
    macs = macs_of(node) * channels // attrs.window.input.c
    return (*before, KernelCall(kernel + variant, args, node.name, f"{node.name}: weight", macs))


def _lower_rows(c: BackwardContext, op: GradOp, attrs: Embedding) -> KernelCall:
    """The gradient of an embedding's rows and their update."""
    node, stored, kernel = op.node, c.forward.storage[op.node.name], "tt_embedding_bwd_weight"
    p = embedding_struct(node)
    d, variant = scratch(node, kernel, p, attrs.rows if c.keep else 1), _variant(c)
    if variant:
        trained = {"rows": 1, "groups": attrs.rows, "run": attrs.depth}
        trained |= {"row_step": attrs.rows * attrs.depth, "group_step": attrs.depth}
        optimizer = _optimizer(c, node, WEIGHT_VELOCITY_BITS, WEIGHT_LIMIT)
        rows = {**optimizer, "layer_mantissa": 0, "layer_exponent": 0}  # they do not decay
        p = {"gradient": p, "trained": {**trained, "optimizer": rows}}
    scale = np.array([c.forward.scale(node.output)])
    args: dict[str, Argument] = {
        "p": p,
        "dy": c.gradients[op.inputs[0]],
        "x": c.forward.buffers[node.inputs[0]],
        **_update_arguments(c, node, "weight", 1.0 / scale),
        "w": stored.weight,
        **_planes(c, stored.weight_planes),
        "d": d,
    }
    return KernelCall(kernel + variant, args, node.name, f"{node.name}: rows")


def _gradient_and_input(
    c: BackwardContext, op: GradOp
) -> tuple[tuple[KernelCall, ...], dict[str, Argument]]:
    """dy and x of a weight gradient, and the calls that make them."""
    node, dy = op.node, c.gradients[op.inputs[0]]
    part = c.forward.storage[node.name].part
    if part is None:
        return (), {"dy": dy, "x": c.forward.buffers[node.inputs[0]]}
    before: list[KernelCall] = []
    take = c.saved.get(node.name)
    if take is None:
        take = take_input(c.forward, node)
        before.append(take)
    gradient: Argument = dy
    if part.depthwise:
        before.append(take_gradient(c.forward, node, dy, c.kind))
        gradient = before[-1].args["dx"]
    return tuple(before), {"dy": gradient, "x": take.args["y"]}


def lower_bias(c: BackwardContext, op: GradOp) -> KernelCall:
    """The gradient of a bias and its update."""
    node, attrs = op.node, op.node.attrs
    assert isinstance(attrs, Conv2D | DepthwiseConv2D) and node.bias is not None
    output = attrs.window.output
    limit = bounds.bias_limit(c.graph, c.scheme, node)
    if node is c.head.node and c.head.sums:
        limit = min(limit, bounds.head_bias_limit(c.graph, c.scheme, node, c.largest))
    p: StructValue = {"pixels": output.h * output.w, "channels": output.c, "bias_limit": limit}
    reals = 1.0 / _nonzero(sum_scales(c.graph, node))
    data = c.graph.tensors[node.bias].data
    assert data is not None
    reals[np.abs(data.astype(np.int64)) > limit] = 0  # saturated, dead: stays as it is
    stored = c.forward.storage[node.name]
    d = scratch(node, "tt_bias_bwd", p)
    variant = _variant(c)
    if variant:
        p = {"gradient": p, "optimizer": _optimizer(c, node, BIAS_VELOCITY_BITS, limit)}
    args: dict[str, Argument] = {
        "p": p,
        "dy": c.gradients[op.inputs[0]],
        **_update_arguments(c, node, "bias", reals),
        "bias": stored.bias,
        **_planes(c, stored.bias_planes),
        "d": d,
    }
    return KernelCall(f"tt_bias_bwd{variant}", args, node.name, f"{node.name}: bias")


def lower_apply(call: KernelCall) -> KernelCall:
    """The update with the mean of what a call added up."""
    args = {k: v for k, v in call.args.items() if k not in ("dy", "x", "d")}
    args["count"] = Runtime.COUNT
    if "bias" in args:
        return KernelCall("tt_bias_apply", args, call.node, call.comment)
    p = args["p"]
    assert isinstance(p, Mapping)
    args["p"] = p["trained"]
    return KernelCall("tt_weight_apply", args, call.node, call.comment)


def _variant(c: BackwardContext) -> str:
    return "" if c.keep else c.optimizer.variant


def _nonzero(scales: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Scales with infinity in place of 0, so that such channels are never updated."""
    return np.where(scales > 0, scales, np.inf)


def _update_arguments(
    c: BackwardContext, node: Node, kind: str, reals: npt.NDArray[np.float64]
) -> dict[str, Argument]:
    mantissa, exponent = steps(reals * c.scheme[node.name].rate)
    constants = c.forward.constants
    return {
        "rate": None if c.keep else Runtime.RATE,
        "step_mantissa": constants.add(f"{node.name}_{kind}_step_mantissa", mantissa),
        "step_exponent": constants.add(f"{node.name}_{kind}_step_exponent", exponent),
    }


def _planes(c: BackwardContext, planes: Planes) -> dict[str, Argument]:
    """Where the update keeps what is below the integer, and what it remembers."""
    if c.keep:
        return {"fraction": None}
    args: dict[str, Argument] = {"fraction": planes.fraction}
    if not c.optimizer.plain:
        args["velocity"] = planes.velocity
    if c.optimizer.batch:
        args["sums"] = planes.sums
    return args


def _optimizer(c: BackwardContext, node: Node, velocity_bits: int, limit: int) -> StructValue:
    optimizer: Optimizer = c.optimizer
    mantissa, exponent = normalize15(c.scheme[node.name].rate)
    bits = optimizer.fraction_bits
    return {
        "fraction_bits": bits,
        "velocity_bits": velocity_bits if optimizer.momentum else bits,
        "nearest": int(optimizer.rounding == "nearest"),
        "layer_mantissa": mantissa,
        "layer_exponent": exponent,
        "limit": limit,
    }


def _rows(window: Window, channels: int, outputs: int, depthwise: bool) -> dict[str, int]:
    """The trained part of w [O,KH,KW,I], or of a depthwise w [KH,KW,O], by output channel."""
    taps = window.kernel[0] * window.kernel[1]
    if depthwise:
        step = {"row_step": 1, "group_step": window.output.c}
        return {"rows": outputs, "groups": taps, "run": 1, **step}
    step = {"row_step": taps * window.input.c, "group_step": window.input.c}
    return {"rows": outputs, "groups": taps, "run": channels, **step}
