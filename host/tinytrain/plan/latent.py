"""The latent: what the frozen part of a model hands to the part that is trained.

The first calls of both programs depend on no parameter that training changes. Where exactly one
tensor is in use after some of them, that tensor says all of the input that the rest needs: whoever
keeps it need not run those calls again. The latest such place that predict and step have in common
is chosen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tinytrain.ir.program import Buffer, KernelCall, Program, Region, Runtime
from tinytrain.plan.lifetime import arena_buffers

STEP = "step#"  # as lowering names the buffers of a step


@dataclass(frozen=True, slots=True)
class Latent:
    """tensor: its name in the graph. predict, step: its buffer in each program; predict_calls,
    step_calls: how many calls come before it. It has as many int8 as bytes."""

    tensor: str
    predict: Buffer
    step: Buffer
    predict_calls: int
    step_calls: int

    @property
    def nbytes(self) -> int:
        """Its size."""
        return self.predict.nbytes


def find_latent(program: Program) -> Latent | None:
    """The latent of a program in its final order; None if no frozen layer comes first."""
    predict = {_tensor(b): (calls, b) for calls, b in _cuts(program.predict, program.input)}
    for calls, buffer in reversed([*_cuts(program.step, program.input)]):
        found = predict.get(_tensor(buffer))
        if found is not None:
            return Latent(_tensor(buffer), found[1], buffer, found[0], calls)
    return None


def _tensor(buffer: Buffer) -> str:
    return buffer.name.removeprefix(STEP)


def _cuts(calls: Sequence[KernelCall], given: Buffer) -> Iterator[tuple[int, Buffer]]:
    """How many calls come before a place where one tensor is in use, and that tensor."""
    last = {b.name: i for i, call in enumerate(calls) for b in arena_buffers(call)}
    alive = {given.name: given}
    for i, call in enumerate(calls):
        if not _frozen(call):
            return
        alive |= {b.name: b for b in arena_buffers(call)}
        alive = {name: b for name, b in alive.items() if last.get(name, -1) > i}
        if len(alive) == 1:
            (buffer,) = alive.values()
            if buffer.ctype == "int8_t" and buffer != given:
                yield i + 1, buffer


def _frozen(call: KernelCall) -> bool:
    """Whether a call does the same for the same input whatever was learned."""
    here = (call, *call.body)
    return not any(
        isinstance(a, Runtime) or (isinstance(a, Buffer) and a.region is Region.STATE)
        for c in here
        for a in c.args.values()
    )
