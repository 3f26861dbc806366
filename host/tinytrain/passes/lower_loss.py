"""The losses as kernel calls, and the fixed point in which each takes the head's outputs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from tinytrain.errors import BuildError
from tinytrain.ir.graph import Graph
from tinytrain.ir.loss import Loss
from tinytrain.ir.program import Argument, Buffer, KernelCall, Runtime, StructValue
from tinytrain.passes import bounds
from tinytrain.passes.autodiff import GradOp
from tinytrain.passes.backward_context import BackwardContext
from tinytrain.passes.fixed_point import multipliers, quantize_multiplier
from tinytrain.passes.head import Head
from tinytrain.passes.lower_forward import scratch, sum_scales
from tinytrain.passes.update import Scheme

LOGIT_ONE = 4096.0  # logits are in units of 2^-12
CROSS_ENTROPY_BITS = 20  # cross-entropies are in units of 2^-20
ERROR_MAX = 2.0**29  # largest output or target, in units of an error
ERROR_BITS = 12  # an LSB of the output is 2^12 to 2^13 units of an error, times 1 / size ...
LEAST_ERROR_BITS = 4  # ... or fewer where sums could leave 32 bits, but at least 2^4
SQUARE_BITS = 13  # the square of an LSB is 2^13 to 2^15 units of the loss


def lower_loss(c: BackwardContext, op: GradOp) -> KernelCall:
    """The kernel call that makes loss and first gradient out of the head's sums."""
    return RULES[c.head.loss](c, op)


def largest_output(graph: Graph, scheme: Scheme, head: Head) -> float:
    """The largest |output|, in real value, that the loss can take."""
    if head.loss is not Loss.MSE:
        return bounds.LOGIT_MAX
    return math.ldexp(ERROR_MAX * head.classes, -_error_bits(graph, scheme, head))


def loss_bits(graph: Graph, loss: Loss) -> int:
    """The loss is in units of 2^-loss_bits."""
    if loss is not Loss.MSE:
        return CROSS_ENTROPY_BITS
    return SQUARE_BITS - 2 * _log2(_output_scale(graph))


def _output_scale(graph: Graph) -> float:
    return graph.tensors[graph.output.tensor].quant.per_tensor


def _log2(x: float) -> int:
    """floor(log2 x)"""
    return math.frexp(x)[1] - 1


def _unit_scales(c: BackwardContext) -> npt.NDArray[np.float64]:
    """Real value of one unit of the head's sums: per output channel, or one for the int8 output."""
    if c.head.sums:
        return sum_scales(c.graph, c.head.node)
    return np.full(1, c.forward.scale(c.head.node.output))


def _factors(c: BackwardContext, reals: npt.NDArray[np.float64]) -> dict[str, Argument]:
    multiplier, shift = multipliers(reals)
    return {
        "sums": c.sums,
        "multiplier": c.forward.constants.add("loss_multiplier", multiplier),
        "shift": c.forward.constants.add("loss_shift", shift),
        "loss": Runtime.LOSS,
    }


def _output(c: BackwardContext, op: GradOp) -> tuple[Buffer, int, str]:
    """Buffer, limit and description of the gradient that the loss writes."""
    assert op.output is not None
    return c.gradients[op.output], c.limits[op.output], f"loss -> {op.output}"


def _softmax(c: BackwardContext, op: GradOp) -> KernelCall:
    gradient, limit, comment = _output(c, op)
    reals = np.broadcast_to(_unit_scales(c), (c.head.classes,))
    p: StructValue = {"classes": c.head.classes, "limit": limit}
    kernel = "tt_softmax_cross_entropy"
    args: dict[str, Argument] = {
        "p": p,
        "label": Runtime.LABEL,
        "d_logits": gradient,
        "scratch": scratch(op.node, kernel, p),
        **_factors(c, reals * LOGIT_ONE),
    }
    return KernelCall(kernel, args, op.node.name, comment)


def _sigmoid(c: BackwardContext, op: GradOp) -> KernelCall:
    gradient, limit, comment = _output(c, op)
    n, reals = c.head.classes, _unit_scales(c)
    bits = 16 + _log2(n)
    p: StructValue = {
        "size": n,
        "channels": len(reals),
        "limit": limit,
        "reciprocal": ((1 << bits) + n // 2) // n,
        "reciprocal_bits": bits,
    }
    args: dict[str, Argument] = {
        "p": p,
        "target": Runtime.TARGET,
        "d_logits": gradient,
        **_factors(c, reals * LOGIT_ONE),
    }
    return KernelCall("tt_sigmoid_cross_entropy", args, op.node.name, comment)


def _mse(c: BackwardContext, op: GradOp) -> KernelCall:
    gradient, limit, comment = _output(c, op)
    n, reals = c.head.classes, _unit_scales(c)
    bits, log2_n = _error_bits(c.graph, c.scheme, c.head), _log2(c.head.classes)
    p: StructValue = {
        "size": n,
        "channels": len(reals),
        "limit": limit,
        "exponent": 1 - bits,
        # the sum of squares is n / 2^(2 bits) of the loss
        "loss_shift": 15 - log2_n + 2 * bits - loss_bits(c.graph, Loss.MSE),
        "loss_factor": ((n << 16 >> log2_n) + 1) >> 1,
        "output": _target(c, c.graph.output.tensor, bits),
        "input": _target(c, c.graph.input.tensor, bits) if _like_input(c.graph) else NO_TARGET,
    }
    args: dict[str, Argument] = {
        "p": p,
        "as_input": Runtime.LABEL,
        "target": Runtime.TARGET,
        "d_output": gradient,
        **_factors(c, np.ldexp(reals / n, bits)),
    }
    return KernelCall("tt_mean_squared_error", args, op.node.name, comment)


NO_TARGET: StructValue = {"zero": 0, "shift": 0, "multiplier": 0}


def _target(c: BackwardContext, tensor: str, bits: int) -> StructValue:
    real = math.ldexp(c.forward.scale(tensor) / c.head.classes, bits)
    multiplier, shift = quantize_multiplier(real)
    return {"zero": c.forward.zero(tensor), "shift": shift, "multiplier": multiplier}


def _like_input(graph: Graph) -> bool:
    """Whether the model can learn towards its input, and that is none of indices."""
    source, result = graph.tensors[graph.input.tensor], graph.tensors[graph.output.tensor]
    return not graph.indices and source.size == result.size


def _error_bits(graph: Graph, scheme: Scheme, head: Head) -> int:
    """B: an error in units of size / 2^B in real value, so that no output or target leaves 2^29.

    As fine as ERROR_BITS says if the head's sums allow it, with as much room again for its bias.
    """
    scale, n = _output_scale(graph), head.classes
    largest = 255 * scale
    if head.sums:
        sums = bounds.forward_sum(graph, scheme, head.node)
        sums += bounds.largest_bias(graph, head.node)
        largest = max(largest, 2 * sums * float(sum_scales(graph, head.node).max()))
    if _like_input(graph):
        largest = max(largest, 255 * graph.tensors[graph.input.tensor].quant.per_tensor)
    bits = ERROR_BITS - _log2(scale) + _log2(n)
    bits = min(bits, _log2(ERROR_MAX * n / largest))
    if bits < LEAST_ERROR_BITS - _log2(scale) + _log2(n):
        raise BuildError(
            f"{graph.name}: {head.node.source}: outputs up to {largest:.3g} are possible, too far "
            f"beyond the range of int8 at scale {scale:.3g} for a mean squared error in 32 bits"
        )
    return bits


RULES: Mapping[Loss, Callable[[BackwardContext, GradOp], KernelCall]] = {
    Loss.SOFTMAX: _softmax,
    Loss.SIGMOID: _sigmoid,
    Loss.MSE: _mse,
}
