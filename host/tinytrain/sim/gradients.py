"""Parameter gradients of one example, out of a program that keeps them instead of updating."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from tinytrain.compilation import Compiled
from tinytrain.ir.graph import Graph, Node
from tinytrain.ir.ops import DepthwiseConv2D, Embedding
from tinytrain.ir.program import KernelCall, Program, Region
from tinytrain.kernels.library import Library, grad_exponent
from tinytrain.passes.lower import lower
from tinytrain.passes.slices import sliced_layers
from tinytrain.passes.update import Scheme, trained_columns
from tinytrain.plan.arena import plan_calls
from tinytrain.sim.goal import Goal
from tinytrain.sim.interpreter import Bytes, Input, Interpreter

Gradients = Mapping[str, npt.NDArray[np.float64]]


class GradientReader:
    """A program that keeps its parameter gradients, ready to run."""

    def __init__(self, graph: Graph, scheme: Scheme, like: Program) -> None:
        """like: a program of the same scheme: loss, gradients, optimizer, layout of the state."""
        assert like.loss is not None
        program = lower(
            graph,
            scheme,
            loss=like.loss,
            gradients=like.gradients,
            optimizer=like.optimizer,
            keep_gradients=True,
            sliced=sliced_layers(graph, like),
        )
        self.graph, self.scheme, self.program = graph, scheme, program
        self._arena = plan_calls(program)

    def read(
        self,
        state: npt.NDArray[np.uint8] | None,
        x: Input,
        goal: Goal,
        kernels: Library | None = None,
    ) -> Gradients:
        """d loss / d parameter in real values; state: None for the model as it is."""
        machine = Interpreter(self.program, self._arena, kernels)
        if state is not None:
            machine.memory[Region.STATE][: state.size] = state
        found: dict[str, npt.NDArray[np.float64]] = {}

        def watch(call: KernelCall, buffers: Mapping[str, Bytes]) -> None:
            layer = call.node
            if call.kernel.endswith("_bwd_weight"):
                node = next(n for n in self.graph.nodes if n.name == layer)
                columns = trained_columns(node, self.scheme[layer])
                found[f"{layer}/weight"] = _weight(self.graph, node, columns, call, buffers)
            elif call.kernel == "tt_bias_bwd":
                sums = buffers["d"].view(np.int32).astype(np.float64)
                found[f"{layer}/bias"] = np.ldexp(sums, grad_exponent(buffers["dy"]))

        machine.step(x, goal.label, 0.0, watch, goal.target)
        return found


def gradients(
    compiled: Compiled,
    state: npt.NDArray[np.uint8],
    x: Input,
    goal: Goal,
    kernels: Library | None = None,
) -> Gradients:
    """d loss / d parameter in real values at the given state; see Trainer.gradients."""
    reader = GradientReader(compiled.graph, compiled.scheme, compiled.program)
    return reader.read(state, x, goal, kernels)


def _weight(
    graph: Graph,
    node: Node,
    columns: tuple[int, ...],
    call: KernelCall,
    buffers: Mapping[str, Bytes],
) -> npt.NDArray[np.float64]:
    assert node.weight is not None
    sums = buffers["d"].view(np.int32).astype(np.float64)
    if isinstance(node.attrs, Embedding):
        return np.ldexp(sums, grad_exponent(buffers["dy"])).reshape(node.attrs.rows, -1)
    p = call.args["p"]
    assert isinstance(p, Mapping)
    shift = p["row_shift"]
    assert isinstance(shift, int)
    scale = graph.tensors[node.inputs[0]].quant.per_tensor
    real = np.ldexp(sums * scale, grad_exponent(buffers["dy"]) + shift)
    shape = graph.tensors[node.weight].shape
    full = np.zeros(shape)
    real = real[: full[..., list(columns)].size]  # without what is scratch
    if isinstance(node.attrs, DepthwiseConv2D):  # sums [O,KH,KW], weight [1,KH,KW,O]
        full[0][..., list(columns)] = np.moveaxis(real.reshape(-1, *shape[1:3]), 0, -1)
    else:  # sums [O,KH,KW,channels], weight [O,KH,KW,I]
        full[..., list(columns)] = real.reshape(*shape[:3], -1)
    return full
