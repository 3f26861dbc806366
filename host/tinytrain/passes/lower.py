"""Graph and update scheme to Program: forward for predict, forward and backward for step."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import replace

import numpy as np

from tinytrain.ir.graph import Graph, Node
from tinytrain.ir.loss import Loss
from tinytrain.ir.optimizer import PLAIN, Optimizer
from tinytrain.ir.program import Argument, Buffer, GradientType, KernelCall, Program, Region
from tinytrain.passes import bounds
from tinytrain.passes.autodiff import GradKind, GradOp, differentiate
from tinytrain.passes.backward_context import BackwardContext, gradient_buffer
from tinytrain.passes.head import Head, require_head
from tinytrain.passes.lower_backward import gradient_size, lower_gradient
from tinytrain.passes.lower_forward import ForwardContext, conv_params, lower_node
from tinytrain.passes.lower_loss import largest_output, loss_bits, lower_loss
from tinytrain.passes.lower_update import lower_apply
from tinytrain.passes.patches import Chain, lower_nodes
from tinytrain.passes.slices import saved_inputs, with_weight
from tinytrain.passes.storage import CTYPES, Constants, State, store_layer
from tinytrain.passes.update import Scheme, layers, partial_layers


def lower(
    graph: Graph,
    scheme: Scheme,
    *,
    loss: Loss = Loss.SOFTMAX,
    gradients: GradientType = GradientType.INT16,
    optimizer: Optimizer = PLAIN,
    keep_gradients: bool = False,
    chains: Sequence[Chain] = (),
    sliced: Container[str] | None = None,
    pieces: bool = True,
) -> Program:
    """The program of a graph; an empty scheme gives one that only predicts.

    keep_gradients: the step stores the sums of every parameter gradient instead of updating.
    chains: layers that are computed tile by tile. sliced: of the layers trained in part, those of
    which the state holds the trained channels alone; None for all. pieces: of these, large weights
    are put together in pieces.
    """
    head = require_head(graph, loss) if scheme else None
    constants, state = Constants(), State(optimizer)
    partial = {n.name for n in partial_layers(graph, scheme)}
    sliced = partial if sliced is None else {name for name in partial if name in sliced}
    storage = {
        n.name: store_layer(graph, n, scheme, constants, state, sliced) for n in layers(graph)
    }
    tensors = _activations(graph)
    predict_context = ForwardContext(graph, constants, storage, tensors, {}, pieces)
    predict = lower_nodes(predict_context, graph.nodes, chains, {})
    step: tuple[KernelCall, ...] = ()
    if head is not None:
        step = _lower_step(
            replace(predict_context, buffers=_of_step(graph, tensors)),
            scheme,
            optimizer,
            head,
            gradients,
            keep_gradients,
            chains,
        )
    return Program(
        name=graph.name,
        predict=predict,
        step=step,
        input=tensors[graph.input.tensor],
        output=tensors[graph.output.tensor],
        classes=head.classes if head is not None and loss is not Loss.MSE else 0,
        weights=np.frombuffer(bytes(constants.payload), np.uint8),
        state_bytes=state.nbytes if scheme else 0,
        state=tuple(state.fields),
        initial=tuple(state.initial),
        loss=loss if head is not None else None,
        loss_bits=loss_bits(graph, loss),
        gradients=gradients,
        optimizer=optimizer,
        apply=tuple(lower_apply(call) for call in step if call.kernel.endswith("__batch")),
    )


def _activations(graph: Graph) -> dict[str, Buffer]:
    names = [graph.input.tensor, *(n.output for n in graph.nodes)]
    tensors = [graph.tensors[n] for n in names]
    return {t.name: Buffer(t.name, Region.ARENA, t.nbytes, CTYPES[t.dtype]) for t in tensors}


def _of_step(graph: Graph, tensors: Mapping[str, Buffer]) -> dict[str, Buffer]:
    """The activations of the step: its own, as they live longer, and the same input."""
    return {
        name: b
        if name == graph.input.tensor
        else Buffer(f"step#{name}", b.region, b.nbytes, b.ctype)
        for name, b in tensors.items()
    }


def _lower_step(
    forward: ForwardContext,
    scheme: Scheme,
    optimizer: Optimizer,
    head: Head,
    kind: GradientType,
    keep: bool,
    chains: Sequence[Chain],
) -> tuple[KernelCall, ...]:
    graph = forward.graph
    ops = differentiate(graph, head, scheme)
    clips = {op.node.name: _clip_buffer(graph, op.node) for op in ops if op.kind is GradKind.CLIP}
    context = replace(forward, clips=clips)
    sums = Buffer("#logits", Region.ARENA, 4 * head.classes, "int32_t")
    gradients = {
        op.output: gradient_buffer(op.output, gradient_size(graph, op), kind)
        for op in ops
        if op.output is not None
    }
    limits = bounds.limits(graph, scheme, ops, kind.largest)
    largest = largest_output(graph, scheme, head)
    bounds.check_logits(graph, scheme, head, largest)
    saved = saved_inputs(context, ops)
    backward = BackwardContext(
        context, scheme, optimizer, head, sums, gradients, limits, largest, keep, saved, kind
    )
    return (
        *_forward_to_head(context, head, sums, chains, saved),
        *(call for op in ops for call in _lower_op(backward, op)),
    )


def _lower_op(c: BackwardContext, op: GradOp) -> tuple[KernelCall, ...]:
    return (lower_loss(c, op),) if op.kind is GradKind.LOSS else lower_gradient(c, op)


def _forward_to_head(
    context: ForwardContext,
    head: Head,
    sums: Buffer,
    chains: Sequence[Chain],
    saved: Mapping[str, KernelCall],
) -> tuple[KernelCall, ...]:
    nodes = context.graph.nodes
    calls = [*lower_nodes(context, nodes[: nodes.index(head.node)], chains, saved)]
    merge, context = with_weight(context, head.node, f"{head.node.name}#weight#head")
    last = lower_node(context, head.node)
    calls += merge
    if head.sums:
        args: dict[str, Argument] = {
            "p": conv_params(context, head.node),
            "x": last.args["x"],
            "w": last.args["w"],
            "bias": last.args["bias"],
            "y": sums,
        }
        name = head.node.name
        calls.append(KernelCall("tt_conv2d_s32", args, name, f"{name}: logits", last.macs))
    else:
        zero = context.zero(head.node.output)
        widen: dict[str, Argument] = {"size": head.classes, "zero": zero}
        widen |= {"x": context.buffers[head.node.output], "y": sums}
        calls += [last, KernelCall("tt_widen_s8", widen, head.node.name, "logits")]
    if head.node.name in saved:
        calls.append(saved[head.node.name])
    return tuple(calls)


def _clip_buffer(graph: Graph, node: Node) -> Buffer:
    size = graph.tensors[node.output].size
    return Buffer(f"{node.name}#clip", Region.ARENA, (size + 7) // 8, "uint8_t")
