"""When buffers of the arena are alive: predict and step on one time line, one call a tick.

A buffer lives from the first call that touches it to the last, in predict and in step separately,
since the two never run at once. The model's input is there before the first call, its output
after the last.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tinytrain.errors import GraphError
from tinytrain.ir.program import Buffer, KernelCall, Program, Region
from tinytrain.passes.storage import aligned


@dataclass(frozen=True, slots=True)
class Storage:
    """Memory for one buffer, or for several that follow each other in place.

    live: closed intervals of ticks. buffers: what lies in it.
    """

    buffers: tuple[Buffer, ...]
    nbytes: int
    live: tuple[tuple[int, int], ...]

    def overlaps(self, other: Storage) -> bool:
        """Whether both are alive at some tick."""
        return any(a <= d and c <= b for a, b in self.live for c, d in other.live)

    @property
    def name(self) -> str:
        """The first buffer's name, for reports."""
        return self.buffers[0].name


def lifetimes(program: Program) -> tuple[Storage, ...]:
    """The storages of a program, buffers that can share memory in place merged into one."""
    predict = _intervals(program.predict, 0, program)
    step = _intervals(program.step, len(program.predict), program)
    owner = _merge(program.predict, 0, predict) | _merge(program.step, len(program.predict), step)
    groups: dict[str, list[Buffer]] = {}
    buffers: dict[str, Buffer] = {}
    for buffer in _arena_buffers((*program.predict, *program.step)):
        if buffers.setdefault(buffer.name, buffer) != buffer:
            raise GraphError(f"{program.name}: two buffers are named {buffer.name}")
    for name, buffer in buffers.items():
        groups.setdefault(_root(owner, name), []).append(buffer)
    storages = []
    for members in groups.values():
        live = [_hull(spans, members) for spans in (predict, step)]
        size = max(aligned(b.nbytes) for b in members)
        storages.append(Storage(tuple(members), size, tuple(i for i in live if i is not None)))
    return tuple(storages)


Spans = Mapping[str, tuple[int, int]]


def _arena_buffers(calls: Iterable[KernelCall]) -> Iterable[Buffer]:
    return (b for call in calls for b in call.buffers() if b.region is Region.ARENA)


def _intervals(calls: tuple[KernelCall, ...], start: int, program: Program) -> Spans:
    spans: dict[str, tuple[int, int]] = {}
    for tick, call in enumerate(calls, start):
        for buffer in _arena_buffers((call,)):
            first, _ = spans.get(buffer.name, (tick, tick))
            spans[buffer.name] = (first, tick)
    end = start + len(calls) - 1
    if program.input.name in spans:
        spans[program.input.name] = (start, spans[program.input.name][1])
    if program.output.name in spans:
        spans[program.output.name] = (spans[program.output.name][0], end)
    return spans


def _merge(calls: tuple[KernelCall, ...], start: int, spans: Spans) -> dict[str, str]:
    """Output buffer -> input buffer whose memory it takes over."""
    owner: dict[str, str] = {}
    for tick, call in enumerate(calls, start):
        for output, source in call.inplace:
            a, b = call.args[output], call.args[source]
            if not isinstance(a, Buffer) or not isinstance(b, Buffer) or a.name in owner:
                continue
            if b.region is Region.ARENA and spans[b.name][1] == tick and spans[a.name][0] == tick:
                owner[a.name] = b.name
    return owner


def _root(owner: Mapping[str, str], name: str) -> str:
    while name in owner:
        name = owner[name]
    return name


def _hull(spans: Spans, members: list[Buffer]) -> tuple[int, int] | None:
    inside = [spans[b.name] for b in members if b.name in spans]
    return (min(a for a, _ in inside), max(b for _, b in inside)) if inside else None
