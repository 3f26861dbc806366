"""How much memory is in use while calls run, as a function of the set of calls that have run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tinytrain.ir.program import Buffer, KernelCall, Program, Region
from tinytrain.passes.storage import aligned
from tinytrain.plan.dependencies import predecessors
from tinytrain.plan.lifetime import arena_buffers

Done = int
"""A set of calls: bit i for call i."""


@dataclass(frozen=True, slots=True)
class _Call:
    """touched: buffers, by number. pairs: (output, source, lead) that may share memory."""

    touched: tuple[int, ...]
    pairs: tuple[tuple[int, int, int], ...]
    before: Done


class Load:
    """The calls of one phase: what may run next, and what that takes.

    A buffer is in use from the first call that touches it (the model's input from the start) to the
    last (the model's output to the end). What is in use between calls depends only on which have
    run. During a call, its outputs may share memory with inputs that nobody needs any more.
    """

    def __init__(self, calls: Sequence[KernelCall], program: Program) -> None:
        """Number the buffers of the calls."""
        names: dict[str, int] = {}
        for call in calls:
            for buffer in arena_buffers(call):
                names.setdefault(buffer.name, len(names))
        self.sizes = [0] * len(names)
        self.users: list[Done] = [0] * len(names)
        for i, call in enumerate(calls):
            for buffer in arena_buffers(call):
                self.sizes[names[buffer.name]] = aligned(buffer.nbytes)
                self.users[names[buffer.name]] |= 1 << i
        self.input = names.get(program.input.name, -1)
        self.output = names.get(program.output.name, -1)
        before = predecessors(calls)
        self.calls = [_call(c, names, sum(1 << j for j in before[i])) for i, c in enumerate(calls)]
        self.all: Done = (1 << len(calls)) - 1

    @property
    def at_start(self) -> int:
        """Bytes in use before the first call."""
        return self.sizes[self.input] if self.input >= 0 else 0

    def ready(self, done: Done) -> list[int]:
        """The calls that may run next."""
        return [i for i, c in enumerate(self.calls) if not done >> i & 1 and not c.before & ~done]

    def run(self, i: int, done: Done, used: int) -> tuple[int, int]:
        """Bytes in use during call i after `done`, and after it; used: those before it."""
        call, rest = self.calls[i], self.all & ~done & ~(1 << i)
        during = after = used
        for b in call.touched:
            if b != self.input and not self.users[b] & done:
                during += self.sizes[b]
                after += self.sizes[b]
            if b != self.output and not self.users[b] & rest:
                after -= self.sizes[b]
        return during - self._saved(call, done, rest), after

    def _saved(self, call: _Call, done: Done, rest: Done) -> int:
        """The most that one output can save by lying over one input."""
        saved = 0
        for output, source, lead in call.pairs:
            dies = source != self.output and not self.users[source] & rest
            new = output != self.input and not self.users[output] & done
            if dies and new:
                x, y = self.sizes[source], self.sizes[output]
                saved = max(saved, x + y - max(y, x + lead))
        return saved

    def peak(self, order: Sequence[int]) -> int:
        """Largest number of bytes in use if the calls run in this order."""
        done, used, peak = 0, self.at_start, 0
        for i in order:
            during, used = self.run(i, done, used)
            peak, done = max(peak, during), done | 1 << i
        return peak


def _call(call: KernelCall, names: dict[str, int], before: Done) -> _Call:
    def number(argument: str) -> int | None:
        buffer = call.args[argument]
        arena = isinstance(buffer, Buffer) and buffer.region is Region.ARENA
        return names[buffer.name] if arena and isinstance(buffer, Buffer) else None

    pairs = []
    for output, source, lead, _ in [*((*pair, 0, 0) for pair in call.inplace), *call.overlap]:
        y, x = number(output), number(source)
        if x is not None and y is not None and x != y:
            pairs.append((y, x, lead))
    touched = tuple(dict.fromkeys(names[b.name] for b in arena_buffers(call)))
    return _Call(touched, tuple(pairs), before)
