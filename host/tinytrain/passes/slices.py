"""Layers of which some input channels are trained: the state holds those weights and no others.

Where a kernel needs the whole weight (forward, gradient of the input), it is put together in the
arena right before: the frozen weights from the file, the trained channels from the state. Large
weights are never put together as a whole: their kernels do it for a few output channels at a time,
or read from both places. The weight gradient is that of a layer with the trained channels alone; of
its input only they are kept.
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
from tinytrain.passes.lower_forward import ForwardContext, lower_node, scratch
from tinytrain.passes.storage import LayerStorage, Part

WHOLE_BYTES = 4096  # a weight from this size on is not put together as a whole ...
BLOCK_BYTES = 2048  # ... but that much of it, if 8 output channels take no more


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


def partial_forward(c: ForwardContext, node: Node) -> KernelCall | None:
    """The call of a convolution whose weight is put together for some output channels at a time;
    None where that is not worth it, or not possible."""
    part = _large_part(c, node)
    if part is None:
        return None
    whole = lower_node(c, node)
    layer, window = whole.args["p"], _window(node)
    row = window.kernel[0] * window.kernel[1] * window.input.c
    blocks = [n for n in range(8, window.output.c + 1, 8) if window.output.c % n == 0]
    if not blocks or window.output.h * window.output.w == 1:
        return None
    assert isinstance(layer, Mapping)
    block = max([n for n in blocks if n * row <= BLOCK_BYTES], default=blocks[0])
    p: StructValue = {"layer": layer, "taken": len(part.columns), "block": block}
    return _in_part(whole, "tt_conv2d_s8__partial", node, part, p)


def partial_gradient(c: ForwardContext, node: Node, whole: KernelCall) -> KernelCall | None:
    """The gradient of its input, from the frozen weight and the trained channels; `whole` is the
    call for a whole weight. None where no kernel does that."""
    part, window = _large_part(c, node), _window(node)
    size = (window.input.h, window.input.w)
    plain = (window.kernel, window.stride, window.pad) == ((1, 1), (1, 1), (0, 0))
    if part is None or not plain or size == (1, 1) or size != (window.output.h, window.output.w):
        return None
    gradient = whole.args["p"]
    assert isinstance(gradient, Mapping)
    p: StructValue = {"gradient": gradient, "taken": len(part.columns)}
    return _in_part(whole, "tt_conv2d_bwd_input__partial", node, part, p)


def _in_part(whole: KernelCall, kernel: str, node: Node, part: Part, p: StructValue) -> KernelCall:
    args: dict[str, Argument] = {
        **whole.args,
        "p": p,
        "index": part.index,
        "trained": part.weight,
        "scratch": scratch(node, kernel, p),
    }
    return replace(whole, kernel=kernel, args=args)


def _large_part(c: ForwardContext, node: Node) -> Part | None:
    """The trained channels of a convolution's weight, if putting it together takes much memory."""
    stored = c.storage.get(node.name)
    if stored is None or not c.pieces or not isinstance(node.attrs, Conv2D):
        return None
    return stored.part if stored.weight.nbytes >= WHOLE_BYTES else None


def _window(node: Node) -> Window:
    assert isinstance(node.attrs, Conv2D | DepthwiseConv2D)
    return node.attrs.window


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
