"""The pipeline from a model file to a planned program and its C; what `build` and `simulate` share.

import -> scheme -> lower (head, autodiff, kernel calls) -> plan -> emit
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from tinytrain.codegen.c_source import Source, generate
from tinytrain.importers import load
from tinytrain.ir.graph import Graph, plain_name
from tinytrain.ir.program import Program
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


def compile_graph(graph: Graph, update: str) -> Compiled:
    """Run the pipeline on an imported graph."""
    scheme = parse_scheme(graph, update)
    program = lower(graph, scheme)
    arena = plan_arena(lifetimes(program))
    return Compiled(graph, scheme, update, program, arena, generate(graph, program, arena))


def compile_model(path: Path | str, update: str = "all", *, name: str | None = None) -> Compiled:
    """Run the pipeline on a model file; a TinyTrainError says what does not work.

    name: of the model, if not the file's.
    """
    graph = load(Path(path))
    return compile_graph(replace(graph, name=plain_name(name)) if name else graph, update)
