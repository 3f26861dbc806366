"""Where constants and trained parameters lie: the payload of model.ttw and the layout of the state.

Every array starts at a multiple of 4 bytes. The state begins with the number of steps taken
(uint32; with `--batch` also the number of examples added up), then for each trained layer: weight,
its fraction, velocity and sum as far as the build has them, then the same for the bias. Of a weight
that is trained in part, only the trained channels are there, packed.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from tinytrain.ir.graph import Graph, Node
from tinytrain.ir.optimizer import PLAIN, Optimizer
from tinytrain.ir.program import Buffer, Initial, Region, StateField
from tinytrain.kernels.header import declarations
from tinytrain.passes.update import LayerUpdate, Scheme, trained_columns

STEPS_BYTES = 4
COUNT_BYTES = 4
CTYPES = {
    "int8": "int8_t",
    "uint8": "uint8_t",
    "int16": "int16_t",
    "uint16": "uint16_t",
    "int32": "int32_t",
}


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
class Planes:
    """What is kept of a trained array besides its integers."""

    fraction: Buffer | None = None
    velocity: Buffer | None = None
    sums: Buffer | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """The trained channels of a weight where the state holds nothing else of it.

    weight: in the STATE. columns: their places in the weight's last axis; inputs: their input
    channels. index, input_index: these as int16, None for the first ones.
    """

    weight: Buffer
    columns: tuple[int, ...]
    inputs: tuple[int, ...]
    depthwise: bool
    index: Buffer | None
    input_index: Buffer | None


@dataclass(frozen=True, slots=True)
class LayerStorage:
    """The parameters of one layer: what forward reads, and what is kept of trained ones.

    part: the trained channels of the weight, where they are kept apart; `weight` is then frozen.
    """

    weight: Buffer
    bias: Buffer | None
    part: Part | None = None
    weight_planes: Planes = Planes()
    bias_planes: Planes = Planes()


@dataclass(slots=True)
class State:
    """The state under construction."""

    optimizer: Optimizer = PLAIN
    nbytes: int = STEPS_BYTES
    fields: list[StateField] = field(default_factory=list)
    initial: list[Initial] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Reserve the counters."""
        self.nbytes += COUNT_BYTES if self.optimizer.batch else 0

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
    graph: Graph,
    node: Node,
    scheme: Scheme,
    constants: Constants,
    state: State,
    sliced: Container[str],
) -> LayerStorage:
    """Place the parameters of a layer: trained ones in the state, the others with the constants.

    sliced: the layers whose trained channels are kept apart.
    """
    trained = scheme.get(node.name, LayerUpdate())
    weight, part, weight_planes = _store_weight(
        graph, node, trained, constants, state, node.name in sliced
    )
    bias, bias_planes = None, Planes()
    if node.bias is not None:
        tensor = graph.tensors[node.bias]
        assert tensor.data is not None
        bias = constants.add(f"{node.name}_bias", tensor.data.astype(np.int32))
        if trained.bias:
            scale = tuple(tensor.quant.channels(tensor.size))
            what = (node.name, tensor.name)
            entry = StateField(*what, "bias", "int32", tensor.shape, state.nbytes, scale, 0)
            bias = state.add(node, "bias", bias, entry)
            bias_planes = _store_planes(node, entry, tensor.shape, constants, state)
    return LayerStorage(weight, bias, part, weight_planes, bias_planes)


def _store_weight(
    graph: Graph,
    node: Node,
    trained: LayerUpdate,
    constants: Constants,
    state: State,
    sliced: bool,
) -> tuple[Buffer, Part | None, Planes]:
    assert node.weight is not None
    tensor = graph.tensors[node.weight]
    assert tensor.data is not None
    weight = constants.add(f"{node.name}_weight", tensor.data)
    if not trained.channels:
        return weight, None, Planes()
    inputs, columns = trained.inputs, trained_columns(node, trained)
    assert sliced or trained.first, f"{node.name}: scattered channels have to be kept apart"
    depthwise = node.op == "depthwise_conv2d"
    axis = 3 if depthwise else 0
    shape = (*tensor.shape[:-1], len(columns))  # [O,KH,KW,I] or depthwise [1,KH,KW,C*M]
    scale = tuple(tensor.quant.channels(tensor.shape[axis]))
    if sliced and depthwise:
        scale = tuple(scale[o] for o in columns)
    what = (node.name, tensor.name)
    whole = shape if sliced else tensor.shape
    entry = StateField(*what, "weight", "int8", whole, state.nbytes, scale, axis, columns)
    if depthwise and not state.optimizer.plain:  # planes in the order of updates
        shape = (len(columns), *tensor.shape[1:3])
    if not sliced:
        weight = state.add(node, "weight", weight, entry)
        return weight, None, _store_planes(node, entry, shape, constants, state)
    values = np.ascontiguousarray(tensor.data[..., list(columns)])
    buffer = state.add(node, "weight", constants.add(f"{node.name}_part", values), entry)
    part = Part(
        buffer,
        columns,
        inputs,
        depthwise,
        _index(constants, node, columns),
        _index(constants, node, inputs),
    )
    return weight, part, _store_planes(node, entry, shape, constants, state)


def _index(constants: Constants, node: Node, channels: tuple[int, ...]) -> Buffer | None:
    """Channels as the kernels take them."""
    if channels == tuple(range(len(channels))):
        return None
    return constants.add(f"{node.name}_channels", np.array(channels, np.int16))


def _store_planes(
    node: Node, integers: StateField, shape: tuple[int, ...], constants: Constants, state: State
) -> Planes:
    """Reserve fraction, velocity and sums of an array, as far as the build has them."""
    kind, optimizer = integers.kind, state.optimizer
    axis = len(shape) - 1 if len(shape) == len(integers.shape) and integers.axis else 0

    def plane(what: str, dtype: str, of: tuple[int, ...] = shape) -> Buffer:
        name = f"{kind}_{what}"
        entry = replace(integers, kind=name, dtype=dtype, shape=of, offset=state.nbytes, axis=axis)
        return state.add(node, name, None, entry)

    fraction = velocity = sums = None
    if optimizer.fraction_bits == 8:
        fraction = plane("fraction", "int8")
    elif optimizer.fraction_bits == 4:
        fraction = plane("fraction", "uint8", ((int(np.prod(shape)) + 1) // 2,))
    if optimizer.momentum:
        velocity = plane("velocity", "int16" if kind == "weight" else "int32")
    if optimizer.batch:
        zero = np.array([declarations().constants["TT_ZERO_EXPONENT"]], np.int32)
        no_exponent = constants.add("no_exponent", zero)
        state.initial.append(Initial(state.nbytes, no_exponent.offset, no_exponent.nbytes))
        head = plane("sum_exponent", "int32", (1,))
        body = plane("sum", "int32")
        sums = replace(body, nbytes=head.nbytes + body.nbytes, ctype="tt_sums", offset=head.offset)
    return Planes(fraction, velocity, sums)
