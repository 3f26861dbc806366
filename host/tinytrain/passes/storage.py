"""Where constants and trained parameters lie: the payload of model.ttw and the layout of the state.

Every array starts at a multiple of 4 bytes. The state begins with the number of steps taken
(uint32), then for each trained layer: weight, its fraction, bias, its fraction.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from tinytrain.ir.graph import Graph, Node
from tinytrain.ir.program import Buffer, Initial, Region, StateField
from tinytrain.passes.update import LayerUpdate, Scheme

STEPS_BYTES = 4
CTYPES = {"int8": "int8_t", "int32": "int32_t", "uint16": "uint16_t"}


def aligned(n: int) -> int:
    """The next multiple of 4."""
    return (n + 3) & ~3


@dataclass(slots=True)
class Constants:
    """The payload under construction; equal arrays are stored once."""

    payload: bytearray = field(default_factory=bytearray)
    known: dict[bytes, int] = field(default_factory=dict)

    def add(self, name: str, array: npt.NDArray[np.generic]) -> Buffer:
        """Store an array (little endian); return where it lies."""
        data = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<")).tobytes()
        key = array.dtype.str.encode() + data
        if key not in self.known:
            self.known[key] = len(self.payload)
            self.payload += data + bytes(aligned(len(data)) - len(data))
        ctype = CTYPES[array.dtype.name]
        return Buffer(name, Region.WEIGHTS, len(data), ctype, self.known[key])


@dataclass(frozen=True, slots=True)
class LayerStorage:
    """The parameters of one layer: what forward reads, and the fractions of what is trained."""

    weight: Buffer
    bias: Buffer | None
    weight_fraction: Buffer | None = None
    bias_fraction: Buffer | None = None


@dataclass(slots=True)
class State:
    """The state under construction."""

    nbytes: int = STEPS_BYTES
    fields: list[StateField] = field(default_factory=list)
    initial: list[Initial] = field(default_factory=list)

    def add(self, node: Node, kind: str, constant: Buffer | None, entry: StateField) -> Buffer:
        """Reserve room for one array, copied from a constant at reset or zero."""
        nbytes = int(np.prod(entry.shape)) * np.dtype(entry.dtype).itemsize
        buffer = Buffer(
            f"{node.name}_{kind}", Region.STATE, nbytes, CTYPES[entry.dtype], self.nbytes
        )
        self.fields.append(entry)
        if constant is not None:
            self.initial.append(Initial(self.nbytes, constant.offset, nbytes))
        self.nbytes += aligned(nbytes)
        return buffer


def store_layer(
    graph: Graph, node: Node, scheme: Scheme, constants: Constants, state: State
) -> LayerStorage:
    """Place the parameters of a layer: trained ones in the state, the others with the constants."""
    trained = scheme.get(node.name, LayerUpdate())
    weight, weight_fraction = _store_weight(graph, node, trained, constants, state)
    bias = bias_fraction = None
    if node.bias is not None:
        tensor = graph.tensors[node.bias]
        assert tensor.data is not None
        bias = constants.add(f"{node.name}_bias", tensor.data.astype(np.int32))
        if trained.bias:
            scale = tuple(tensor.quant.channels(tensor.size))
            what = (node.name, tensor.name)
            entry = StateField(*what, "bias", "int32", tensor.shape, state.nbytes, scale, 0)
            bias = state.add(node, "bias", bias, entry)
            entry = StateField(*what, "bias_fraction", "int8", tensor.shape, state.nbytes, scale, 0)
            bias_fraction = state.add(node, "bias_fraction", None, entry)
    return LayerStorage(weight, bias, weight_fraction, bias_fraction)


def _store_weight(
    graph: Graph, node: Node, trained: LayerUpdate, constants: Constants, state: State
) -> tuple[Buffer, Buffer | None]:
    assert node.weight is not None
    tensor = graph.tensors[node.weight]
    assert tensor.data is not None
    weight = constants.add(f"{node.name}_weight", tensor.data)
    if not trained.channels:
        return weight, None
    depthwise = node.op == "depthwise_conv2d"
    axis = 3 if depthwise else 0
    shape = list(tensor.shape)
    if depthwise:  # [1,KH,KW,C*M]: the first channels * M output channels
        shape[3] = trained.channels * getattr(node.attrs, "multiplier", 1)
    else:  # [O,KH,KW,I]
        shape[-1] = trained.channels
    scale = tuple(tensor.quant.channels(tensor.shape[axis]))
    what = (node.name, tensor.name)
    entry = StateField(*what, "weight", "int8", tensor.shape, state.nbytes, scale, axis)
    weight = state.add(node, "weight", weight, entry)
    entry = StateField(*what, "weight_fraction", "int8", tuple(shape), state.nbytes, scale, axis)
    return weight, state.add(node, "weight_fraction", None, entry)
