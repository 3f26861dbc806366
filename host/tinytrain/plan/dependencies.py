"""Which call must run before which: whatever order keeps these computes the same bits.

A call reads what its kernel declares const and writes, perhaps after reading, what it does not.
Two calls that touch the same bytes, one of them writing, keep their order: activations and
gradients, trained weights (an update after all that needs the old weight), and the learning rate,
whose dither each update moves on, so that all updates keep their order too.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from itertools import pairwise

from tinytrain.ir.program import Buffer, KernelCall, Region, Runtime, View
from tinytrain.kernels.header import declarations

Access = tuple[Hashable, bool]
"""What is touched, and whether it is written."""


def predecessors(calls: Sequence[KernelCall]) -> tuple[frozenset[int], ...]:
    """For each call, those before it in this order that must stay before it."""
    cells = _state_cells(calls)
    written: dict[Hashable, int] = {}
    read: dict[Hashable, list[int]] = {}
    found = []
    for i, call in enumerate(calls):
        before: set[int] = set()
        for what, writes in _accesses(call, cells):
            if what in written:
                before.add(written[what])
            if writes:
                before.update(read.pop(what, ()))
                written[what] = i
            else:
                read.setdefault(what, []).append(i)
        before.discard(i)
        found.append(frozenset(before))
    return tuple(found)


def _accesses(call: KernelCall, cells: Sequence[int]) -> Iterator[Access]:
    for inner in call.body:
        yield from _accesses(inner, cells)
    if call.body:
        return
    const = {p.name: p.type.const for p in declarations().function(call.kernel).parameters}
    for name, argument in call.args.items():
        writes = not const[name]
        match argument:
            case Buffer(region=Region.WEIGHTS):
                continue
            case Buffer(region=Region.STATE) as b:
                inside = (at for at in cells if b.offset <= at < b.offset + b.nbytes)
                yield from ((at, writes) for at in inside)
            case (Buffer() as b) | View(buffer=b):
                yield b.name, writes
            case Runtime.RATE | Runtime.LOSS:
                yield argument, writes
            case _:
                continue


def _state_cells(calls: Sequence[KernelCall]) -> Sequence[int]:
    """Beginnings of pieces of the state such that every buffer consists of whole pieces."""
    ends: set[int] = set()
    for call in calls:
        for b in call.buffers():
            if b.region is Region.STATE:
                ends |= {b.offset, b.offset + b.nbytes}
    return [a for a, _ in pairwise([*sorted(ends), 0])]


def is_order(calls: Sequence[KernelCall], reordered: Sequence[KernelCall]) -> bool:
    """Whether `reordered` has the same calls in an order that keeps all dependencies."""
    place: Mapping[int, int] = {id(call): i for i, call in enumerate(reordered)}
    if len(place) != len(calls) or any(id(call) not in place for call in calls):
        return False
    return all(
        place[id(calls[j])] < place[id(calls[i])]
        for i, before in enumerate(predecessors(calls))
        for j in before
    )
