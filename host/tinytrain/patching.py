"""Which layers are computed tile by tile: where that lowers the peak of the arena, and no others.

Runs of layers that can form chains are cut into chains and single layers. The least peak that cuts
and tile sizes allow is sought first (no cut can lower what lies outside of all runs), then the cut
with the fewest extra multiply-accumulates that keeps to it. If those are more than the limit, the
peak is allowed to grow until they are not. The exact search over cuts is a shortest path.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from tinytrain.ir.graph import Graph, Node
from tinytrain.ir.program import KernelCall, Program, Region
from tinytrain.passes.lower_forward import FORWARD
from tinytrain.passes.patches import (
    Chain,
    Layout,
    chain_macs,
    layout,
    lead_bytes,
    patchable,
    window_of,
    work_bytes,
)
from tinytrain.passes.storage import aligned
from tinytrain.plan.arena import tick_loads
from tinytrain.plan.lifetime import lifetimes, sharings

LONGEST = 10  # layers in a chain; the overlap of tiles grows with each
GROWTH = 1.02  # by which the peak is relaxed while tiles cost too much
KERNELS_BYTES = 600  # of code for the kernels that cut out, pad and put back (module in RAM) ...
CALL_BYTES = 110  # ... and for each call in a loop, with its parameters


@dataclass(frozen=True, slots=True)
class _Piece:
    """A chain, or a layer on its own (tile None): what it needs while it runs, and costs."""

    end: int
    peak: int
    extra_macs: int
    code: int
    tile: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class _Timeline:
    """Predict or step: the tick of each node, when buffers live, and how many bytes do."""

    ticks: Mapping[str, int]
    spans: Mapping[str, tuple[int, int]]
    sizes: Mapping[str, int]
    live: Mapping[int, int]

    def during(self, first: int, last: int, without: frozenset[str]) -> int:
        """Bytes of the buffers that are alive somewhere from tick to tick, but for some."""
        return sum(
            self.sizes[name]
            for name, (a, b) in self.spans.items()
            if a <= last and first <= b and name not in without
        )


def choose_chains(
    graph: Graph, program: Program, percent: int, *, overlap: bool
) -> tuple[Chain, ...]:
    """The chains for a program lowered without any.

    percent: the most multiply-accumulates that tiles may add, of those of a forward pass.
    overlap: count on a chain's output lying over its input where that is possible; the planner
    cannot always do so.
    """
    if percent <= 0:
        return ()
    lines = _timelines(graph, program)
    runs = _runs(graph, program)
    covered = {
        line.ticks[n.name] for run in runs for n in run for line in lines if n.name in line.ticks
    }
    ticks = [pair for line in lines for pair in line.live.items()]
    rest = max((size for tick, size in ticks if tick not in covered), default=0)
    peak = max((size for _, size in ticks), default=0)
    options = [_pieces(run, lines, rest, overlap) for run in runs]
    goal = max([rest, *(_least_peak(run) for run in options)])
    allowed = sum(c.macs for c in program.predict) * percent // 100
    while goal < peak:
        cuts = [_cheapest(run, goal) for run in options]
        pieces = [p for cut in cuts for _, p in cut if p.tile is not None]
        if peak - goal <= KERNELS_BYTES + sum(p.code for p in pieces):
            break
        if sum(p.extra_macs for p in pieces) <= allowed:
            return tuple(
                Chain(tuple(n.name for n in run[start : p.end]), p.tile)
                for run, cut in zip(runs, cuts, strict=True)
                for start, p in cut
                if p.tile is not None
            )
        goal = int(goal * GROWTH) + 1
    return ()


def _timelines(graph: Graph, program: Program) -> list[_Timeline]:
    """Of predict, and of step if there is one; ticks run through both."""
    loads = tick_loads(lifetimes(program, None), sharings(program))
    kernels = _forward_kernels(graph)
    found, start = [], 0
    for calls in (program.predict, program.step):
        ticks = range(start, start + len(calls))
        nodes: dict[str, int] = {}
        touched: dict[str, list[int]] = {program.input.name: [start]}
        sizes: dict[str, int] = {}
        for tick, call in zip(ticks, calls, strict=True):
            if call.kernel == kernels.get(call.node):
                nodes.setdefault(call.node, tick)
            for b in call.buffers():
                if b.region is Region.ARENA:
                    touched.setdefault(b.name, []).append(tick)
                    sizes[b.name] = aligned(b.nbytes)
        if program.output.name in touched:
            touched[program.output.name].append(ticks[-1])
        spans = {name: (min(at), max(at)) for name, at in touched.items() if name in sizes}
        live = {t: loads[t] for t in ticks}
        if calls:
            found.append(_Timeline(nodes, spans, sizes, live))
        start += len(calls)
    return found


def _runs(graph: Graph, program: Program) -> list[list[Node]]:
    """Longest sequences of layers of which each is all that reads the one before."""
    possible = {n.name for n in graph.nodes if patchable(n)}
    if program.step:
        kernels = _forward_kernels(graph)
        forward = (c for c in program.step if c.kernel == kernels.get(c.node))
        possible &= {c.node for c in forward if c.args.get("clip") is None}
    kept = _read_again(program.step)
    runs: list[list[Node]] = []
    for before, node in zip((None, *graph.nodes), graph.nodes, strict=False):
        if node.name not in possible:
            continue
        follows = (
            before is not None
            and runs
            and runs[-1][-1] is before
            and graph.consumers(before.output) == (node,)
            and f"step#{before.output}" not in kept
            and before.output != graph.output.tensor
        )
        if follows:
            runs[-1].append(node)
        else:
            runs.append([node])
    return [run for run in runs if len(run) > 1]


def _forward_kernels(graph: Graph) -> Mapping[str, str]:
    """The kernel that computes each node; in a step the head has another."""
    return {n.name: FORWARD[n.op].kernel for n in graph.nodes}


def _read_again(calls: Sequence[KernelCall]) -> set[str]:
    """Buffers that more than two calls touch: the backward pass reads them, too."""
    seen: dict[str, int] = {}
    for call in calls:
        for name in {b.name for b in call.buffers()}:
            seen[name] = seen.get(name, 0) + 1
    return {name for name, n in seen.items() if n > 2}


def _pieces(
    run: Sequence[Node], lines: Sequence[_Timeline], rest: int, overlap: bool
) -> list[list[_Piece]]:
    """For each layer of a run what can begin there; chains only where some layer's peak is high."""
    whole = [max(line.live[line.ticks[n.name]] for line in lines) for n in run]
    found = [[_Piece(i + 1, whole[i], 0, 0, None)] for i in range(len(run))]
    for start, end in product(range(len(run)), range(2, len(run) + 1)):
        nodes = run[start:end]
        whole_peak = max(whole[start:end], default=0)
        if not 2 <= len(nodes) <= LONGEST or whole_peak <= rest:
            continue
        around = [_outside(nodes, line, i > 0) for i, line in enumerate(lines)]
        macs = sum(chain_macs([n], layout([n], _map_size(n))) for n in nodes)
        for tile in _tiles(nodes[-1]):
            plan = layout(nodes, tile)
            scratch = aligned(plan.scratch_bytes) + aligned(work_bytes(nodes, plan))
            apart = lead_bytes(nodes, plan) if overlap else sys.maxsize
            peak = scratch + max(size - max(0, shared - apart) for size, shared in around)
            if peak < whole_peak:
                extra = chain_macs(nodes, plan) - macs
                found[start].append(_Piece(end, peak, extra, _code(nodes, plan), tile))
    return found


def _outside(nodes: Sequence[Node], line: _Timeline, step: bool) -> tuple[int, int]:
    """What is alive during a chain besides its blocks (input, output, and others' tensors), and
    how much of that can be shared where the output may overlap the input."""
    prefix = "step#" if step else ""
    inner = frozenset(prefix + n.output for n in nodes[:-1])
    first, last = line.ticks[nodes[0].name], line.ticks[nodes[-1].name]
    x, y = nodes[0].inputs[0], prefix + nodes[-1].output
    x = x if x in line.spans else prefix + x
    dies = line.spans[x][1] <= first and line.spans[y][0] >= last
    shared = min(line.sizes[x], line.sizes[y]) if dies else 0
    return line.during(first, last, inner), shared


def _code(nodes: Sequence[Node], plan: Layout) -> int:
    return CALL_BYTES * (2 * len(nodes) + 2 * (plan.tiles != (1, 1)))


def _map_size(node: Node) -> tuple[int, int]:
    result = window_of(node).output
    return result.h, result.w


def _tiles(node: Node) -> Iterator[tuple[int, int]]:
    """Tile sizes worth trying: powers of two or the whole map, nearly square or whole rows."""
    h, w = _map_size(node)
    heights = [n for n in (1, 2, 4, 8, 16, 32, 64) if n < h] + [h]
    widths = [n for n in (1, 2, 4, 8, 16, 32, 64) if n < w] + [w]
    for tile in product(heights, widths):
        if tile != (h, w) and (tile[1] == w or max(tile) <= 4 * min(tile)):
            yield tile


def _least_peak(options: Sequence[Sequence[_Piece]]) -> int:
    """The smallest largest peak of any cut of a run."""
    best = [0] * (len(options) + 1)
    for i in range(len(options) - 1, -1, -1):
        best[i] = min(max(p.peak, best[p.end]) for p in options[i])
    return best[0]


def _cheapest(options: Sequence[Sequence[_Piece]], goal: int) -> list[tuple[int, _Piece]]:
    """The cut of a run that fits the goal, with the fewest extra MACs, then the least code."""
    Cost = tuple[int, int]
    best: list[tuple[Cost, _Piece | None] | None] = [None] * len(options) + [((0, 0), None)]
    for i in range(len(options) - 1, -1, -1):
        for p in options[i]:
            rest = best[p.end]
            if p.peak > goal or rest is None:
                continue
            cost = (rest[0][0] + p.extra_macs, rest[0][1] + p.code)
            entry = best[i]
            if entry is None or cost < entry[0]:
                best[i] = (cost, p)
    cut, i = [], 0
    while i < len(options):
        entry = best[i]
        assert entry is not None and entry[1] is not None
        cut.append((i, entry[1]))
        i = entry[1].end
    return cut
