"""Layers of which some input channels are trained: the state holds those weights and no others.

Where a kernel needs the whole weight (forward, gradient of the input), it is put together in the
arena right before: the frozen weights from the file, the trained channels from the state. The
weight gradient is that of a layer with the trained channels alone; of its input only they are kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import replace

from tinytrain.ir.graph import Graph, Node
from tinytrain.ir.ops import Conv2D, DepthwiseConv2D, Hwc, MaxPool2D, Window
from tinytrain.ir.program import (
    Argument,
    Buffer,
    GradientType,
    KernelCall,
    Program,
    Region,
    StructValue,
)
from tinytrain.kernels.library import grad_bytes
from tinytrain.passes.autodiff import GradKind, GradOp
from tinytrain.passes.lower_forward import ForwardContext
from tinytrain.passes.storage import LayerStorage


def with_weight(
    c: ForwardContext, node: Node, name: str
) -> tuple[tuple[KernelCall, ...], ForwardContext]:
    """The call that makes the whole weight of a layer in a buffer of this name, and a context that
    has it; nothing and the same for layers that have a whole weight."""
    stored = c.storage.get(node.name)
    if stored is None or stored.part is None:
        return (), c
    assert node.weight is not None
    channels = c.graph.tensors[node.weight].shape[-1]
    weight = Buffer(name, Region.ARENA, stored.weight.nbytes, "int8_t")
    args: dict[str, Argument] = {
        "p": _channels(stored.weight.nbytes // channels, channels, len(stored.part.columns)),
        "index": stored.part.index,
        "x": stored.weight,
        "trained": stored.part.weight,
        "y": weight,
    }
    call = KernelCall("tt_merge_channels_s8", args, node.name, f"{node.name}: whole weight")
    storage = {**c.storage, node.name: replace(stored, weight=weight)}
    return (call,), replace(c, storage=storage)


def sliced_layers(graph: Graph, program: Program) -> frozenset[str]:
    """The layers of which a program's state holds the trained channels alone."""
    weights = (f for f in program.state if f.kind == "weight")
    return frozenset(f.layer for f in weights if f.shape != graph.tensors[f.tensor].shape)


def part_window(window: Window, stored: LayerStorage) -> Window:
    """The window of the trained channels alone."""
    if stored.part is None:
        return window
    source, result, part = window.input, window.output, stored.part
    outputs = len(part.columns) if part.depthwise else result.c
    return replace(
        window,
        input=Hwc(source.h, source.w, len(part.inputs)),
        output=Hwc(result.h, result.w, outputs),
    )


def take_input(c: ForwardContext, node: Node) -> KernelCall:
    """Copy the trained channels of a layer's input."""
    part = c.storage[node.name].part
    attrs = node.attrs
    assert part is not None and isinstance(attrs, Conv2D | DepthwiseConv2D)
    source = attrs.window.input
    pixels, taken = source.h * source.w, len(part.inputs)
    y = Buffer(f"{node.name}#input", Region.ARENA, pixels * taken, "int8_t")
    args: dict[str, Argument] = {
        "p": _channels(pixels, source.c, taken),
        "index": part.input_index,
        "x": c.buffers[node.inputs[0]],
        "y": y,
    }
    comment = f"{node.name}: {taken} channels of {node.inputs[0]}"
    return KernelCall("tt_take_channels_s8", args, node.name, comment)


def take_gradient(c: ForwardContext, node: Node, dy: Buffer, kind: GradientType) -> KernelCall:
    """Copy the gradient of a depthwise layer's trained outputs."""
    part = c.storage[node.name].part
    assert part is not None and isinstance(node.attrs, DepthwiseConv2D)
    result, taken = node.attrs.window.output, len(part.columns)
    pixels = result.h * result.w
    nbytes = grad_bytes(pixels * taken, kind.bits)
    args: dict[str, Argument] = {
        "p": _channels(pixels, result.c, taken),
        "index": part.index,
        "dy": dy,
        "dx": Buffer(f"{dy.name}#{node.name}", Region.ARENA, nbytes, "tt_grad"),
    }
    return KernelCall("tt_take_channels_grad", args, node.name)


def saved_inputs(c: ForwardContext, ops: Iterable[GradOp]) -> Mapping[str, KernelCall]:
    """By layer, the calls that save channels of its input in the forward pass: unless something
    else of the backward pass reads that input as a whole."""
    ops = tuple(ops)
    sliced = [op.node for op in ops if op.kind is GradKind.WEIGHT and c.storage[op.node.name].part]
    whole = _read_whole(ops, {n.name for n in sliced})
    return {n.name: take_input(c, n) for n in sliced if n.inputs[0] not in whole}


def _read_whole(ops: Iterable[GradOp], sliced: Set[str]) -> set[str]:
    """Activations that the backward pass needs with all their channels."""
    found = set()
    for op in ops:
        weight = op.kind is GradKind.WEIGHT and op.node.name not in sliced
        if weight or (op.kind is GradKind.INPUT and isinstance(op.node.attrs, MaxPool2D)):
            found.add(op.node.inputs[0])
    return found


def _channels(rows: int, channels: int, taken: int) -> StructValue:
    return {"rows": rows, "channels": channels, "taken": taken}
