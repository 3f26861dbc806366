"""When buffers of the arena are alive: predict and step on one time line, one call a tick.

A buffer lives from the first call that touches it to the last, in predict and in step separately,
since the two never run at once. The model's input is there before the first call, its output
after the last.

Buffers that share memory form one storage: each lies at a fixed place in it and has a life of its
own. Where a call may work in place and nobody reads its input later, the output lies over the
input; where a call may work with overlapping memory (a depthwise convolution), somewhat before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tinytrain.errors import GraphError
from tinytrain.ir.program import Buffer, KernelCall, Program, Region
from tinytrain.passes.storage import aligned

Spans = tuple[tuple[int, int], ...]
"""Closed intervals of ticks: one, or one in predict and one in step."""


@dataclass(frozen=True, slots=True)
class Part:
    """A buffer in a storage: its place there, a multiple of 4, and when it is alive."""

    buffer: Buffer
    at: int
    live: Spans

    @property
    def nbytes(self) -> int:
        """Bytes that the buffer takes."""
        return aligned(self.buffer.nbytes)

    @property
    def end(self) -> int:
        """Where it ends in the storage."""
        return self.at + self.nbytes

    def meets(self, other: Part) -> bool:
        """Whether both are alive at some tick."""
        return any(a <= d and c <= b for a, b in self.live for c, d in other.live)


@dataclass(frozen=True, slots=True)
class Storage:
    """One buffer, or several that share memory."""

    parts: tuple[Part, ...]

    @property
    def name(self) -> str:
        """The first buffer's name, for reports."""
        return self.parts[0].buffer.name

    @property
    def nbytes(self) -> int:
        """Bytes from its beginning to the end of its last part."""
        return max(p.end for p in self.parts)

    @property
    def live(self) -> Spans:
        """When any of it is alive."""
        return tuple(sorted({span for p in self.parts for span in p.live}))

    def alive(self, tick: int) -> list[Part]:
        """The parts alive at a tick."""
        return [p for p in self.parts if any(a <= tick <= b for a, b in p.live)]

    def extent(self, tick: int) -> int:
        """Bytes that it takes at a tick, from the first to the last in use."""
        here = self.alive(tick)
        return max(p.end for p in here) - min(p.at for p in here) if here else 0


@dataclass(frozen=True, slots=True)
class Sharing:
    """One chance to share memory: `output` takes over from `source` in the call at `tick`.

    It begins `lead` bytes before the source: 0 where the call works in place.
    """

    tick: int
    output: str
    source: str
    lead: int


def lifetimes(program: Program) -> tuple[Storage, ...]:
    """The storages of a program in which calls work in place wherever they may."""
    return storages(program, [s for s in sharings(program) if s.lead == 0])


def storages(program: Program, shared: Iterable[Sharing]) -> tuple[Storage, ...]:
    """The storages of a program with these buffers sharing memory, others being apart."""
    buffers, spans = _buffers(program), _spans(program)
    source = {s.output: s for s in shared}
    groups: dict[str, list[tuple[Buffer, int]]] = {}
    for name, buffer in buffers.items():
        at, root = 0, name
        while root in source:
            at, root = at - source[root].lead, source[root].source
        groups.setdefault(root, []).append((buffer, at))
    made = []
    for members in groups.values():
        first = min(at for _, at in members)
        parts = tuple(Part(buffer, at - first, spans[buffer.name]) for buffer, at in members)
        made.append(Storage(parts))
    return tuple(made)


def sharings(program: Program) -> tuple[Sharing, ...]:
    """All chances to share memory, at most one for a buffer; in place where that is possible."""
    predict = _phase_spans(program.predict, 0, program)
    step = _phase_spans(program.step, len(program.predict), program)
    return (
        *_sharings(program.predict, 0, predict),
        *_sharings(program.step, len(program.predict), step),
    )


def _buffers(program: Program) -> Mapping[str, Buffer]:
    buffers: dict[str, Buffer] = {}
    for call in (*program.predict, *program.step):
        for buffer in arena_buffers(call):
            if buffers.setdefault(buffer.name, buffer) != buffer:
                raise GraphError(f"{program.name}: two buffers are named {buffer.name}")
    return buffers


def _spans(program: Program) -> Mapping[str, Spans]:
    phases = (
        _phase_spans(program.predict, 0, program),
        _phase_spans(program.step, len(program.predict), program),
    )
    names = dict.fromkeys(name for phase in phases for name in phase)
    return {name: tuple(phase[name] for phase in phases if name in phase) for name in names}


def arena_buffers(call: KernelCall) -> Iterable[Buffer]:
    """The buffers of the arena that a call touches."""
    return (b for b in call.buffers() if b.region is Region.ARENA)


def _phase_spans(
    calls: Sequence[KernelCall], start: int, program: Program
) -> Mapping[str, tuple[int, int]]:
    spans: dict[str, tuple[int, int]] = {}
    for tick, call in enumerate(calls, start):
        for buffer in arena_buffers(call):
            first, _ = spans.get(buffer.name, (tick, tick))
            spans[buffer.name] = (first, tick)
    end = start + len(calls) - 1
    if program.input.name in spans:
        spans[program.input.name] = (start, spans[program.input.name][1])
    if program.output.name in spans:
        spans[program.output.name] = (spans[program.output.name][0], end)
    return spans


def _sharings(
    calls: Sequence[KernelCall], start: int, spans: Mapping[str, tuple[int, int]]
) -> Iterable[Sharing]:
    found: set[str] = set()
    taken: set[str] = set()
    for tick, call in enumerate(calls, start):
        for output, source, lead in _pairs(call):
            a, b = call.args[output], call.args[source]
            if not isinstance(a, Buffer) or not isinstance(b, Buffer):
                continue
            if b.region is not Region.ARENA or a.name in found or b.name in taken:
                continue
            if spans[b.name][1] == tick and spans[a.name][0] == tick:
                found.add(a.name)
                taken.add(b.name)
                yield Sharing(tick, a.name, b.name, lead)


def _pairs(call: KernelCall) -> Sequence[tuple[str, str, int]]:
    """What may share memory, the largest source first: it saves the most."""

    def size(argument: str) -> int:
        buffer = call.args[argument]
        return buffer.nbytes if isinstance(buffer, Buffer) else 0

    pairs = [*((*pair, 0) for pair in call.inplace), *call.overlap]
    return sorted(pairs, key=lambda pair: -size(pair[1]))
