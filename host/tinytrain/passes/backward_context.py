"""What the rules of the backward pass share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tinytrain.ir.graph import Graph
from tinytrain.ir.optimizer import Optimizer
from tinytrain.ir.program import Buffer, GradientType, KernelCall, Region
from tinytrain.kernels.library import grad_bytes
from tinytrain.passes.head import Head
from tinytrain.passes.lower_forward import ForwardContext
from tinytrain.passes.update import Scheme


@dataclass(frozen=True, slots=True)
class BackwardContext:
    """What a backward rule sees. sums: the head's 32-bit sums. largest: real value that the
    loss can take from them. keep: store sums, do not update. saved: by layer, the call of the
    forward pass that kept channels of its input.
    """

    forward: ForwardContext
    scheme: Scheme
    optimizer: Optimizer
    head: Head
    sums: Buffer
    gradients: Mapping[str, Buffer]
    limits: Mapping[str, int]
    largest: float
    keep: bool
    saved: Mapping[str, KernelCall]
    kind: GradientType

    @property
    def graph(self) -> Graph:
        """The graph."""
        return self.forward.graph


def gradient_buffer(name: str, size: int, kind: GradientType) -> Buffer:
    """A tt_grad of `size` mantissas in the arena."""
    return Buffer(name, Region.ARENA, grad_bytes(size, kind.bits), "tt_grad")
