"""Chains of layers computed tile by tile, so that no map between them ever exists as a whole.

A tile of the last map is traced back through the windows to the block of each earlier map that it
needs. The blocks of neighbouring tiles overlap; what they share is computed again. What of a block
lies outside its map is set to what padding stands for, so the layers run on it without padding and
with the same parameters for every tile, and each element of the last map gets the bits it had.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from tinytrain.ir.graph import Graph, Node
from tinytrain.ir.ops import AveragePool2D, Conv2D, DepthwiseConv2D, Hwc, MaxPool2D, Window
from tinytrain.ir.program import (
    Argument,
    Buffer,
    KernelCall,
    Overlap,
    Region,
    StructValue,
    Tile,
    View,
)
from tinytrain.kernels.library import library
from tinytrain.passes.lower_forward import (
    FORWARD,
    ForwardContext,
    lower_node,
    macs_of,
    window_struct,
)
from tinytrain.passes.slices import partial_forward, with_weight
from tinytrain.passes.storage import aligned

Windowed = Conv2D | DepthwiseConv2D | MaxPool2D | AveragePool2D
"""What a layer of a chain may be; an average, which counts what is inside, only without padding."""

LOWEST = -128


@dataclass(frozen=True, slots=True)
class Chain:
    """Nodes that follow each other, by name, and the tile (rows, columns) of the last one's map."""

    nodes: tuple[str, ...]
    tile: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Span:
    """Along one axis: pixels start + step * n .. + size of tile n, in a map of `limit` pixels."""

    start: int
    step: int
    size: int
    limit: int

    def sticks_out(self, tiles: int) -> bool:
        """Whether the block of some tile is partly outside."""
        return self.start < 0 or self.start + self.step * (tiles - 1) + self.size > self.limit

    def before(self, kernel: int, stride: int, pad: int, limit: int) -> Span:
        """What a window reads to give this."""
        size = (self.size - 1) * stride + kernel
        return Span(self.start * stride - pad, self.step * stride, size, limit)


@dataclass(frozen=True, slots=True)
class Block:
    """The block of one map that a tile needs."""

    rows: Span
    columns: Span
    channels: int

    @property
    def size(self) -> int:
        """Elements."""
        return self.rows.size * self.columns.size * self.channels


@dataclass(frozen=True, slots=True)
class Layout:
    """blocks: of the chain's input and of each layer's output. tiles: rows and columns of them."""

    blocks: tuple[Block, ...]
    tiles: tuple[int, int]

    @property
    def scratch_bytes(self) -> int:
        """Of the blocks that exist at once, each one the source of the next."""
        return max(a.size + b.size for a, b in zip(self.blocks, self.blocks[1:], strict=False))


def lead_bytes(nodes: Sequence[Node], plan: Layout) -> int:
    """By how many bytes a chain's output may begin before its input so that both may overlap: the
    tiles of a row read nothing above that row's block, and all that is written by then ends there.
    """
    source, result = window_of(nodes[0]).input, window_of(nodes[-1]).output
    rows, lead = plan.blocks[0].rows, 0
    for i in range(plan.tiles[0]):
        written = min(result.h, (i + 1) * plan.blocks[-1].rows.size) * result.w * result.c
        read = max(0, rows.start + rows.step * i) * source.w * source.c
        lead = max(lead, written - read)
    return aligned(lead)


def patchable(node: Node) -> bool:
    """Whether a layer can be one of a chain."""
    attrs = node.attrs
    if isinstance(attrs, AveragePool2D):
        return not pads(attrs.window)
    return isinstance(attrs, Windowed)


def pads(w: Window) -> bool:
    """Whether some window reaches over the border of its map."""
    axes = zip(
        (w.input.h, w.input.w), (w.output.h, w.output.w), w.kernel, w.stride, w.pad, strict=True
    )
    return any(pad or (out - 1) * s + k - pad > size for size, out, k, s, pad in axes)


def window_of(node: Node) -> Window:
    """The window of a patchable layer."""
    assert isinstance(node.attrs, Windowed)
    return node.attrs.window


def layout(nodes: Sequence[Node], tile: tuple[int, int]) -> Layout:
    """The blocks of a chain for tiles of this size."""
    last = window_of(nodes[-1]).output
    rows, columns = Span(0, tile[0], tile[0], last.h), Span(0, tile[1], tile[1], last.w)
    blocks = [Block(rows, columns, last.c)]
    for node in reversed(nodes):
        w = window_of(node)
        rows = rows.before(w.kernel[0], w.stride[0], w.pad[0], w.input.h)
        columns = columns.before(w.kernel[1], w.stride[1], w.pad[1], w.input.w)
        blocks.insert(0, Block(rows, columns, w.input.c))
    return Layout(tuple(blocks), (-(-last.h // tile[0]), -(-last.w // tile[1])))


def tile_node(node: Node, source: Block, result: Block) -> Node:
    """The layer on one block: the same op in a window without padding."""
    w = window_of(node)
    window = replace(
        w,
        input=Hwc(source.rows.size, source.columns.size, source.channels),
        output=Hwc(result.rows.size, result.columns.size, result.channels),
        pad=(0, 0),
    )
    assert isinstance(node.attrs, Windowed)
    return replace(node, attrs=replace(node.attrs, window=window))


def chain_macs(nodes: Sequence[Node], plan: Layout) -> int:
    """Multiply-accumulates of a chain, what is computed twice or outside of maps included."""
    tiles = plan.tiles[0] * plan.tiles[1]
    pairs = zip(nodes, plan.blocks, plan.blocks[1:], strict=False)
    return tiles * sum(macs_of(tile_node(n, a, b)) for n, a, b in pairs)


def lower_chain(c: ForwardContext, nodes: Sequence[Node], tile: tuple[int, int]) -> KernelCall:
    """One call that loops over the tiles."""
    plan = layout(nodes, tile)
    x, y = c.buffers[nodes[0].inputs[0]], c.buffers[nodes[-1].output]
    assert isinstance(x, Buffer) and isinstance(y, Buffer)
    scratch = Buffer(f"{y.name}#tile", Region.ARENA, plan.scratch_bytes, "int8_t")
    views = [
        View(scratch, (plan.scratch_bytes - b.size) if i % 2 else 0)
        for i, b in enumerate(plan.blocks)
    ]
    body = _with_one_scratch(
        y.name,
        _block_call("tt_crop_s8", plan.blocks[0], _outside(c.graph, nodes[0]), x, views[0]),
        *_layers(c, nodes, plan, views),
        _block_call("tt_paste_s8", plan.blocks[-1], 0, views[-1], y),
    )
    macs, whole = chain_macs(nodes, plan), sum(macs_of(n) for n in nodes)
    names = f"{nodes[0].name} .. {nodes[-1].name}"
    comment = f"{names}: tiles of {tile[0]}x{tile[1]}, {macs - whole:,} MACs more than whole maps"
    args: dict[str, Argument] = {"x": x, "y": y, "scratch": scratch}
    return KernelCall(
        "tiles",
        args,
        names,
        comment,
        macs,
        overlap=(Overlap("y", "x", lead_bytes(nodes, plan), 4),),
        body=body,
        tiles=plan.tiles,
        extra_macs=macs - whole,
    )


def _with_one_scratch(name: str, *calls: KernelCall) -> tuple[KernelCall, ...]:
    """The calls with one working memory for those that want some."""
    wanted = [call.args.get("scratch") for call in calls]
    nbytes = max((b.nbytes for b in wanted if isinstance(b, Buffer)), default=0)
    shared = Buffer(f"{name}#scratch", Region.ARENA, nbytes, "int32_t")
    return tuple(
        replace(call, args={**call.args, "scratch": shared}) if isinstance(b, Buffer) else call
        for call, b in zip(calls, wanted, strict=True)
    )


def work_bytes(nodes: Sequence[Node], plan: Layout) -> int:
    """Working memory of the kernels of a chain."""
    most = 0
    for node, source, result in zip(nodes, plan.blocks, plan.blocks[1:], strict=False):
        if node.weight is not None:
            window = window_struct(window_of(tile_node(node, source, result)))
            p: StructValue = {"window": window, "in_zero": 0, "out_zero": 0, "low": 0, "high": 0}
            most = max(most, library().scratch_bytes(FORWARD[node.op].kernel, p))
    return most


def lower_nodes(
    c: ForwardContext,
    nodes: Sequence[Node],
    chains: Sequence[Chain],
    saved: Mapping[str, KernelCall],
) -> tuple[KernelCall, ...]:
    """The forward calls of nodes in their order, chains as one call each.

    saved: by layer, calls that keep something of its input.
    """
    calls: list[KernelCall] = []
    for unit, tile in _units(nodes, chains):
        here, call = c, None if tile else partial_forward(c, unit[0])
        for node in unit if call is None else ():
            merge, here = with_weight(here, node, f"{_name(c, node.output)}#weight")
            calls += merge
        if call is None:
            call = lower_chain(here, unit, tile) if tile else lower_node(here, unit[0])
        calls.append(call)
        calls += [saved[n.name] for n in unit if n.name in saved]
    return tuple(calls)


def _units(
    nodes: Sequence[Node], chains: Sequence[Chain]
) -> Iterator[tuple[list[Node], tuple[int, int] | None]]:
    """The nodes of each chain with their tile, and the others one by one."""
    chain_of = {name: chain for chain in chains for name in chain.nodes}
    for node in nodes:
        chain = chain_of.get(node.name)
        if chain is None:
            yield [node], None
        elif node.name == chain.nodes[0]:
            yield [n for n in nodes if n.name in chain.nodes], chain.tile


def _name(c: ForwardContext, tensor: str) -> str:
    buffer = c.buffers[tensor]
    assert isinstance(buffer, Buffer)
    return buffer.name


def _layers(
    c: ForwardContext, nodes: Sequence[Node], plan: Layout, views: Sequence[View]
) -> Iterator[KernelCall]:
    for i, node in enumerate(nodes):
        source, result = plan.blocks[i], plan.blocks[i + 1]
        reads_outside = source.rows.sticks_out(plan.tiles[0]) or source.columns.sticks_out(
            plan.tiles[1]
        )
        if i and reads_outside and pads(window_of(node)):
            value = _outside(c.graph, node)
            yield _block_call("tt_border_s8", source, value, None, views[i])
        buffers: Mapping[str, Buffer | View] = {
            node.inputs[0]: views[i],
            node.output: views[i + 1],
        }
        call = lower_node(replace(c, buffers=buffers), tile_node(node, source, result))
        yield replace(call, inplace=(), comment="")


def _outside(graph: Graph, node: Node) -> int:
    """What a layer's padding stands for."""
    if isinstance(node.attrs, MaxPool2D):
        return LOWEST
    return graph.tensors[node.inputs[0]].quant.zero_point


def _block_call(kernel: str, block: Block, value: int, x: Argument, y: Argument) -> KernelCall:
    p: StructValue = {
        "map_h": block.rows.limit,
        "map_w": block.columns.limit,
        "channels": block.channels,
        "rows": block.rows.size,
        "columns": block.columns.size,
        "value": value,
    }
    args: dict[str, Argument] = {
        "p": p,
        "top": Tile(0, block.rows.start, block.rows.step),
        "left": Tile(1, block.columns.start, block.columns.step),
        "y": y,
    }
    return KernelCall(kernel, args if x is None else {**args, "x": x})
