"""What a build that does not fit is told: how much is missing, where, and what would help.

Every alternative is planned before it is named; its figures are those of its own plan, with the
module's code as large as it is now.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from tinytrain.codegen.weights_file import HEADER
from tinytrain.compilation import Compiled, Options, plan_scheme
from tinytrain.errors import TinyTrainError
from tinytrain.ir.program import GradientType, Program
from tinytrain.passes.update import Scheme, freeze, layers, parse_scheme
from tinytrain.plan.arena import Arena
from tinytrain.plan.explain import place_of, residents

MOST_PATCHES = 100
"""Percent of extra MACs that are tried for patching."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Memory that there is. name: what it is of. fixed: what is needed besides arena and state.

    weights: whether the weights take of it, too.
    """

    name: str
    nbytes: int
    fixed: int = 0
    weights: bool = False

    def needed(self, program: Program, arena: Arena) -> int:
        """Bytes that a planned program takes of it."""
        weights = program.weights.size + HEADER.size if self.weights else 0
        return arena.nbytes + program.state_bytes + self.fixed + weights


@dataclass(frozen=True, slots=True)
class Alternative:
    """A change, in words or as on the command line, and the bytes that are needed with it."""

    change: str
    needed: int


def refusal(compiled: Compiled, budget: Budget) -> str:
    """Why a model does not fit, and what would help; empty if it fits."""
    program, arena = compiled.program, compiled.arena
    needed = budget.needed(program, arena)
    if needed <= budget.nbytes:
        return ""
    parts = [f"arena {arena.nbytes:,}", f"state {program.state_bytes:,}"]
    if budget.weights:
        parts.append(f"weights {program.weights.size + HEADER.size:,}")
    if budget.fixed:
        parts.append(f"module and your script {budget.fixed:,}")
    largest = residents(program, arena, arena.peak_tick)[:3]
    named = ", ".join(f"{r.what} of {r.of} {r.nbytes:,}" for r in largest)
    lines = [
        f"{_named(compiled)} does not fit: {needed - budget.nbytes:,} bytes are missing",
        f"  needed      {needed:>11,}   {' + '.join(parts)}",
        f"  there are   {budget.nbytes:>11,}   {budget.name}",
        f"  the arena's peak: {place_of(program, arena.peak_tick)}: {named}",
        "What would help:",
    ]
    for a in alternatives(compiled, budget):
        spare = budget.nbytes - a.needed
        verdict = f"fits, {spare:,} to spare" if spare >= 0 else f"{-spare:,} still missing"
        lines.append(f"  {a.change:<44} {a.needed:>11,}   {verdict}")
    return "\n".join(lines)


def _named(compiled: Compiled) -> str:
    return f"{compiled.graph.name} with --update {compiled.update}"


def alternatives(compiled: Compiled, budget: Budget) -> tuple[Alternative, ...]:
    """Changes that save memory, what costs the least in accuracy first."""
    now = budget.needed(compiled.program, compiled.arena)
    found = [a for a in _changes(compiled, budget) if a.needed < now]
    return (*found, *_smaller_schemes(compiled, budget, now))


def _changes(compiled: Compiled, budget: Budget) -> Iterator[Alternative]:
    """The same scheme with other options."""
    options, optimizer = compiled.options, compiled.options.optimizer
    if budget.weights:
        program, arena = compiled.program, compiled.arena
        needed = replace(budget, weights=False).needed(program, arena)
        yield Alternative("weights in ROMFS or raw flash, on a board with one", needed)
    tried: list[tuple[str, Options]] = []
    if options.patches < MOST_PATCHES:
        name = f"--patches {MOST_PATCHES}"
        tried.append((name, replace(options, patches=MOST_PATCHES)))
    if compiled.program.step:
        if options.gradients != GradientType.INT8.value:
            tried.append(("--gradients int8", replace(options, gradients=GradientType.INT8.value)))
        if optimizer.batch:
            less = replace(optimizer, batch=False)
            tried.append(("without --batch", replace(options, optimizer=less)))
        if optimizer.momentum:
            less = replace(optimizer, momentum=False)
            tried.append(("without --momentum", replace(options, optimizer=less)))
        if optimizer.master > 8:
            less = replace(optimizer, master=8)
            tried.append(("--master 8 (coarse updates)", replace(options, optimizer=less)))
    for name, other in tried:
        yield Alternative(name, budget.needed(*plan_scheme(compiled.graph, compiled.scheme, other)))


def _smaller_schemes(compiled: Compiled, budget: Budget, now: int) -> Iterator[Alternative]:
    """The largest last:N and bias:N that fit; else the smallest ones; and none."""
    if not compiled.program.step:
        return
    count = len(layers(compiled.graph))
    for kind in ("last", "bias"):
        best = _largest(partial(_needed_by_last, compiled, budget, kind), count, budget)
        if best is not None and best.needed < now:
            yield Alternative(f"--update {kind}:{best.change}", best.needed)
    needed = _needed(compiled, budget, "none")
    if needed is not None and needed < now:
        yield Alternative("--update none (only predicts)", needed)


def _largest(
    needed_by: Callable[[int], int | None], count: int, budget: Budget
) -> Alternative | None:
    """The largest N up to count that fits, found by halving; 1 if none does."""
    low, high, best = 1, count, None
    while low <= high:
        n = (low + high) // 2
        needed = needed_by(n)
        fits = needed is not None and needed <= budget.nbytes
        if needed is not None and (fits or n == 1):
            best = Alternative(str(n), needed)
        low, high = (n + 1, high) if fits else (low, n - 1)
    return best


def _needed_by_last(compiled: Compiled, budget: Budget, kind: str, n: int) -> int | None:
    return _needed(compiled, budget, f"{kind}:{n}")


def _needed(compiled: Compiled, budget: Budget, update: str) -> int | None:
    """Bytes with another scheme; None where it cannot be built."""
    graph, options = compiled.graph, compiled.options
    try:
        scheme: Scheme = freeze(graph, parse_scheme(graph, update), options.freeze)
        return budget.needed(*plan_scheme(graph, scheme, options))
    except TinyTrainError:  # such as a layer without a gradient rule, or everything frozen
        return None
