"""What sets the peak: the call, what is in memory then, and what each piece waits for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tinytrain.ir.program import Buffer, KernelCall, Program
from tinytrain.plan.arena import Arena
from tinytrain.plan.lifetime import Part, arena_buffers


@dataclass(frozen=True, slots=True)
class Resident:
    """A buffer that is in memory at some call.

    what: activation, gradient, clip mask, scratch. of: the layer whose call wrote it first.
    offset: in the arena. start, end: first and last tick of its life around that call.
    next_use: the layer whose call touches it next, or "this call", "" for a result.
    """

    name: str
    what: str
    of: str
    nbytes: int
    offset: int
    start: int
    end: int
    next_use: str


def calls(program: Program) -> tuple[KernelCall, ...]:
    """All calls on one time line: a call's tick is its place here."""
    return (*program.predict, *program.step)


def place_of(program: Program, tick: int) -> str:
    """Such as "step, call 12 of 60, tt_conv2d_s8 of conv2d_3"."""
    first = len(program.predict)
    phase, call, n = ("predict", tick, first) if tick < first else (
        "step", tick - first, len(program.step)
    )  # fmt: skip
    here = calls(program)[tick]
    return f"{phase}, call {call + 1} of {n}, {here.kernel} of {here.node}"


def residents(program: Program, arena: Arena, tick: int) -> tuple[Resident, ...]:
    """What is in memory during a call, the largest first."""
    found = [
        _resident(program, arena, part, tick)
        for storage in arena.storages
        for part in storage.alive(tick)
    ]
    return tuple(sorted(found, key=lambda r: (-r.nbytes, r.offset, r.name)))


def _resident(program: Program, arena: Arena, part: Part, tick: int) -> Resident:
    start, end = next((a, b) for a, b in part.live if a <= tick <= b)
    name, timeline = part.buffer.name, calls(program)
    users = [t for t in range(start, end + 1) if name in set(_names(timeline[t]))]
    later = [t for t in users if t >= tick]
    waits_for = timeline[later[0]].node if later else ""
    is_input = name == program.input.name
    return Resident(
        name.removeprefix("step#"),
        kind(part.buffer),
        "the model's input" if is_input or not users else timeline[users[0]].node,
        part.nbytes,
        arena.offsets[name],
        start,
        end,
        "this call" if tick in users else waits_for,
    )


def _names(call: KernelCall) -> Iterator[str]:
    return (b.name for b in arena_buffers(call))


def kind(buffer: Buffer) -> str:
    """What a buffer of the arena holds."""
    if buffer.name.endswith("#scratch"):
        return "scratch"
    if buffer.name.endswith("#clip"):
        return "clip mask"
    return "gradient" if buffer.ctype == "tt_grad" else "activation"


def optimality(arena: Arena) -> str:
    """How good the plan is, in words."""
    if arena.proven:
        return "optimal: no order of the calls and no placement takes fewer bytes"
    over = 100 * (arena.nbytes / max(1, arena.order_bound) - 1)
    order = f"{over:.2f} % above {arena.order_bound:,} bytes, the peak of the best order"
    if not arena.order_exact:
        order += " that beam search found; a better one may exist"
    if arena.optimal:
        return f"optimal for this order of the calls, however they share memory; {order}"
    over = 100 * (arena.nbytes / max(1, arena.least) - 1)
    return f"at most {over:.2f} % larger than the best placement; {order}"


def explanation(program: Program, arena: Arena) -> str:
    """What `tinytrain plan --explain` prints about the peak."""
    if not calls(program):
        return "The model does nothing.\n"
    tick = arena.peak_tick
    rows = residents(program, arena, tick)
    shared = sum(r.nbytes for r in rows) - arena.lower_bound
    lines = [
        f"The arena takes {arena.nbytes:,} bytes, {optimality(arena)}.",
        f"The peak of {arena.lower_bound:,} bytes: {place_of(program, tick)}. In memory then:",
        "",
        f"{'bytes':>10}  {'what':<11}{'tensor':<32}{'written by':<26}waits for",
    ]
    lines += [
        f"{r.nbytes:>10,}  {r.what:<11}{_cut(r.name, 30):<32}{_cut(r.of, 24):<26}{r.next_use}"
        for r in rows
    ]
    if shared > 0:
        lines.append(f"{-shared:>10,}  shared by tensors that lie over each other")
    return "\n".join(lines) + "\n"


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else "…" + text[1 - width :]
