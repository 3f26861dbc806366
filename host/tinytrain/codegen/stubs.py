"""tinytrain.pyi: what the module on the board offers, for editors; written for one model."""

from __future__ import annotations

from tinytrain.ir.graph import Graph

TEMPLATE = '''"""The native module of {name}: {inputs} int8 -> {outputs} int8."""

from typing import Protocol, Self

class Buffer(Protocol):
    """Anything with the buffer protocol: bytes, bytearray, array.array, memoryview."""

class Trainer:
    """One instance of the model.

    input: int8 {inputs}, scale {scale!r}, zero point {zero}; labels 0 .. {last}.
    """

    name: str
    lr: float
    """Learning rate, 0.01 at first."""
    state: memoryview
    """The trained parameters: can be read and written, not resized."""
    input_shape: tuple[int, ...]
    input_scale: float
    input_zero_point: int
    output_shape: tuple[int, ...]
    output_scale: float
    output_zero_point: int
    classes: int
    ram: int
    """Bytes of arena and state."""

    def __init__(self, weights: str | Buffer) -> None:
        """weights: path of model.ttw, or a buffer with its content (a memoryview of flash needs no
        RAM)."""
    def step(self, x: Buffer, y: int) -> float:
        """Forward, backward and update for one example; returns the loss. x: {size} int8."""
    def predict(self, x: Buffer, out: Buffer | None = None) -> Buffer:
        """The model's int8 output; with `out` nothing is allocated."""
    def classify(self, x: Buffer) -> int:
        """Index of the largest output."""
    def reset(self) -> None:
        """Forget all training."""
    def deinit(self) -> None:
        """Free the memory."""
    def __enter__(self) -> Self: ...
    def __exit__(self, *exception: object) -> None: ...
'''


def stub(graph: Graph, classes: int) -> str:
    """The stub file of a model."""
    source = graph.tensors[graph.input.tensor]
    return TEMPLATE.format(
        name=graph.name,
        inputs="x".join(map(str, graph.input.shape)),
        outputs="x".join(map(str, graph.output.shape)),
        scale=source.quant.per_tensor,
        zero=source.quant.zero_point,
        last=classes - 1,
        size=source.size,
    )
