"""Graph: tensors by name and nodes in an order that can be executed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from tinytrain.ir.ops import Attributes, Conv2D, DepthwiseConv2D, Embedding
from tinytrain.ir.tensor import Tensor


def plain_name(text: str) -> str:
    """A model's name as it can stand in C, Python and file names: [A-Za-z0-9_.-]."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", text) or "_"


@dataclass(frozen=True, slots=True)
class Node:
    """One op. inputs name tensors in the op's order, constants included; one output.

    name: unique, shown to people and used in update schemes.
    source: where it comes from, for messages, such as "op 12 CONV_2D".
    index: operator index in the model file.
    """

    op: str
    name: str
    inputs: tuple[str, ...]
    output: str
    attrs: Attributes
    source: str = ""
    index: int = -1

    @property
    def weight(self) -> str | None:
        """Name of the weight tensor, if the op has one."""
        has_one = isinstance(self.attrs, Conv2D | DepthwiseConv2D | Embedding)
        return self.inputs[1] if has_one else None

    @property
    def bias(self) -> str | None:
        """Name of the bias tensor, if there is one."""
        return self.inputs[2] if self.weight is not None and len(self.inputs) > 2 else None


@dataclass(frozen=True, slots=True)
class Port:
    """A model input or output as the user sees it.

    tensor: name of the int8 tensor, or of the input's int32 indices. shape: as in the model file,
    batch included. model_dtype: the type in the file: int8, int32, or uint8 / float32 where
    QUANTIZE and DEQUANTIZE at the ends have been taken off (uint8 means int8 + 128).
    """

    tensor: str
    shape: tuple[int, ...]
    model_dtype: str = "int8"


@dataclass(frozen=True, slots=True)
class Graph:
    """A model: one input, int8 or int32 indices, and one int8 output."""

    name: str
    tensors: Mapping[str, Tensor]
    nodes: tuple[Node, ...]
    input: Port
    output: Port
    notes: tuple[str, ...] = field(default=())

    @property
    def indices(self) -> int:
        """What the input's indices have to be below; 0 for an int8 input."""
        readers = (n.attrs for n in self.consumers(self.input.tensor))
        return min((a.rows for a in readers if isinstance(a, Embedding)), default=0)

    def producer(self, tensor: str) -> Node | None:
        """The node that writes a tensor."""
        return next((n for n in self.nodes if n.output == tensor), None)

    def consumers(self, tensor: str) -> tuple[Node, ...]:
        """The nodes that read a tensor."""
        return tuple(n for n in self.nodes if tensor in n.inputs)
