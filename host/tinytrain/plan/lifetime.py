"""When buffers of the arena are alive: predict and step on one time line, one call a tick.

A buffer lives from the first call that touches it to the last, in predict and in step separately,
since the two never run at once. The model's input is there before the first call, its output
after the last.

Where a call may work in place and nobody reads its input later, the output lies over the input, and
both form one storage. Where a call may work with overlapping memory (a depthwise convolution), the
two stay storages of their own, which may come closer to each other than others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from tinytrain.errors import GraphError
from tinytrain.ir.program import Buffer, KernelCall, Overlap, Program, Region
from tinytrain.passes.storage import aligned

Spans = tuple[tuple[int, int], ...]
"""Closed intervals of ticks: one, or one in predict and one in step."""


@dataclass(frozen=True, slots=True)
class Part:
    """A buffer in a storage, and when it is alive."""

    buffer: Buffer
    live: Spans

    @property
    def nbytes(self) -> int:
        """Bytes that the buffer takes."""
        return aligned(self.buffer.nbytes)

    def meets(self, other: Part) -> bool:
        """Whether both are alive at some tick."""
        return any(a <= d and c <= b for a, b in self.live for c, d in other.live)


@dataclass(frozen=True, slots=True)
class Storage:
    """One buffer, or several that begin at the same byte, one after the other."""

    parts: tuple[Part, ...]

    @property
    def name(self) -> str:
        """The first buffer's name, for reports."""
        return self.parts[0].buffer.name

    @property
    def nbytes(self) -> int:
        """Bytes of the largest part."""
        return max(p.nbytes for p in self.parts)

    @property
    def live(self) -> Spans:
        """When any of it is alive."""
        return tuple(sorted({span for p in self.parts for span in p.live}))

    def alive(self, tick: int) -> list[Part]:
        """The parts alive at a tick."""
        return [p for p in self.parts if any(a <= tick <= b for a, b in p.live)]

    def extent(self, tick: int) -> int:
        """Bytes in use at a tick."""
        return max((p.nbytes for p in self.alive(tick)), default=0)


@dataclass(frozen=True, slots=True)
class Sharing:
    """One chance to share memory: `output` takes over from `source` in the call at `tick`.

    It begins `lead` bytes before the source, or a multiple of `step` more; in place (step 0) it
    begins at its first byte.
    """

    tick: int
    output: str
    source: str
    lead: int
    step: int

    @property
    def in_place(self) -> bool:
        """Whether both are one and the same memory."""
        return self.step == 0

    def saved(self, output: int, source: int) -> int:
        """The most bytes that two buffers of these sizes save in that call."""
        return max(0, output + source - max(output, source + self.lead))


class Prefer(Enum):
    """Which of two dying operands a sum takes the place of."""

    FIRST = "first"
    OLDER = "older"  # what has lived longer, as a residual connection does
    YOUNGER = "younger"


def lifetimes(program: Program, prefer: Prefer | None = Prefer.FIRST) -> tuple[Storage, ...]:
    """The storages of a program in which calls work in place wherever they may; None: nowhere."""
    buffers, spans = _buffers(program), _spans(program)
    source = {} if prefer is None else _taken(sharings(program), spans, prefer)
    groups: dict[str, list[Part]] = {}
    for name, buffer in buffers.items():
        root = name
        while root in source:
            root = source[root]
        groups.setdefault(root, []).append(Part(buffer, spans[name]))
    return tuple(Storage(tuple(parts)) for parts in groups.values())


def _taken(
    chances: Iterable[Sharing], spans: Mapping[str, Spans], prefer: Prefer
) -> Mapping[str, str]:
    """By output, the source whose place it takes; each source once."""
    options: dict[str, list[str]] = {}
    for s in chances:
        if s.in_place:
            options.setdefault(s.output, []).append(s.source)
    found: dict[str, str] = {}
    for output, sources in options.items():
        free = [s for s in sources if s not in found.values()]
        if prefer is not Prefer.FIRST:
            sign = 1 if prefer is Prefer.OLDER else -1
            free.sort(key=lambda name: sign * spans[name][-1][0])
        if free:
            found[output] = free[0]
    return found


def sharings(program: Program) -> tuple[Sharing, ...]:
    """All chances to share memory; an output can take one at most."""
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
    for tick, call in enumerate(calls, start):
        known: set[tuple[str, str]] = set()
        for output, source, lead, step in _pairs(call):
            a, b = call.args[output], call.args[source]
            if not isinstance(a, Buffer) or not isinstance(b, Buffer):
                continue
            if b.region is not Region.ARENA or a.name == b.name or (a.name, b.name) in known:
                continue
            if spans[b.name][1] == tick and spans[a.name][0] == tick:
                known.add((a.name, b.name))
                yield Sharing(tick, a.name, b.name, lead, step)


def _pairs(call: KernelCall) -> Sequence[Overlap]:
    """What may share memory, in place first."""
    return [*(Overlap(*pair, 0, 0) for pair in call.inplace), *call.overlap]
