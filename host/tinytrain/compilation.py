"""The pipeline from a model file to a planned program and its C; what `build` and `simulate` share.

import -> scheme -> lower (head, autodiff, kernel calls) -> plan -> emit
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from tinytrain.codegen.c_source import Source, generate
from tinytrain.errors import UpdateError
from tinytrain.importers import load
from tinytrain.ir.graph import Graph
from tinytrain.ir.program import GradientType, Program
from tinytrain.passes.lower import lower
from tinytrain.passes.update import Scheme, parse_scheme
from tinytrain.plan.arena import Arena, plan_arena
from tinytrain.plan.lifetime import lifetimes


@dataclass(frozen=True, slots=True, eq=False)
class Compiled:
    """A model with everything that was derived from it."""

    graph: Graph
    scheme: Scheme
    update: str
    program: Program
    arena: Arena
    source: Source


def gradient_type(name: str) -> GradientType:
    """The type of that name, or an UpdateError."""
    try:
        return GradientType(name)
    except ValueError:
        known = " or ".join(t.value for t in GradientType)
        raise UpdateError(f"gradients {name!r}: expected {known}") from None


def compile_graph(graph: Graph, update: str, *, gradients: str = "int16") -> Compiled:
    """Run the pipeline on an imported graph."""
    scheme = parse_scheme(graph, update)
    program = lower(graph, scheme, gradient_type(gradients))
    arena = plan_arena(lifetimes(program))
    return Compiled(graph, scheme, update, program, arena, generate(graph, program, arena))


def compile_model(
    path: Path | str, update: str = "all", *, gradients: str = "int16", name: str | None = None
) -> Compiled:
    """Run the pipeline on a model file; a TinyTrainError says what does not work.

    gradients: "int16", or "int8" for less memory (docs/NUMERICS.md, Gradient precision).
    name: of the model, if not the file's.
    """
    graph = load(Path(path))
    graph = replace(graph, name=name) if name else graph
    return compile_graph(graph, update, gradients=gradients)
