"""The pipeline from a model file to a planned program and its C; what `build` and `simulate` share.

import -> head -> scheme -> lower (head, autodiff, kernel calls) -> plan -> emit
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final, cast

import numpy as np

from tinytrain.codegen.c_source import Source, generate
from tinytrain.errors import UpdateError
from tinytrain.importers import load
from tinytrain.ir.graph import Graph, plain_name
from tinytrain.ir.loss import Loss, parse_loss
from tinytrain.ir.optimizer import PLAIN, Optimizer
from tinytrain.ir.program import GradientType, Program
from tinytrain.kernels.build_cache import digest, kept
from tinytrain.passes.lower import lower
from tinytrain.passes.replace_head import replace_head, without_softmax
from tinytrain.passes.update import Scheme, freeze, names_file, parse_scheme
from tinytrain.patching import choose_chains
from tinytrain.plan.arena import Arena, plan_best, plan_within
from tinytrain.resources import c_kernels_dir


@dataclass(frozen=True, slots=True)
class Options:
    """What can be chosen besides the update scheme.

    loss: "softmax", "sigmoid" or "mse". classes: outputs of a fresh head, None to keep the model's.
    freeze: layers that are never trained, by name or "op:N". gradients: "int16" or "int8".
    optimizer: momentum, weight decay, batches and the precision of weights.
    patches: how many multiply-accumulates, in percent of a forward pass, may be added by computing
    layers tile by tile to lower the arena's peak; 0 for none.
    optimize: "speed", or "size" for a smaller module with slower kernels; no bit depends on it.
    """

    loss: str = Loss.SOFTMAX.value
    classes: int | None = None
    freeze: tuple[str, ...] = ()
    gradients: str = GradientType.INT16.value
    optimizer: Optimizer = PLAIN
    patches: int = 10
    optimize: str = "speed"

    def __str__(self) -> str:
        """What differs from the defaults, as on the command line; with a space before each."""
        classes = "" if self.classes is None else f" --classes {self.classes}"
        freeze = f" --freeze {','.join(self.freeze)}" if self.freeze else ""
        return classes + freeze + (" --optimize size" if self.optimize == "size" else "")


DEFAULTS = Options()
KEPT: Final = "compiled.pickle"
PIECES_BYTES = 1500
"""Code of the kernels that put weights together in pieces, on Cortex-M0+."""


@dataclass(frozen=True, slots=True, eq=False)
class Compiled:
    """A model with everything that was derived from it; graph: with the head that is trained."""

    graph: Graph
    scheme: Scheme
    update: str
    program: Program
    arena: Arena
    source: Source
    options: Options = DEFAULTS


def gradient_type(name: str) -> GradientType:
    """The type of that name, or an UpdateError."""
    try:
        return GradientType(name)
    except ValueError:
        known = " or ".join(t.value for t in GradientType)
        raise UpdateError(f"gradients {name!r}: expected {known}") from None


def trained_graph(graph: Graph, options: Options) -> Graph:
    """The graph that is trained: with the options' head, and without what their loss replaces."""
    if options.classes is not None:
        graph = replace_head(graph, options.classes)
    return without_softmax(graph) if parse_loss(options.loss) is Loss.SIGMOID else graph


def plan_scheme(graph: Graph, scheme: Scheme, options: Options) -> tuple[Program, Arena]:
    """What runs and where it lies, for a graph from `trained_graph`.

    Of whole layers and the ways to compute some tile by tile, the one with the smallest arena;
    where that is equal, the one with less work. Large weights that are trained in part are put
    together in pieces only where that saves more than its code takes.
    """
    best = plan_best(candidates(graph, scheme, options, pieces=True))
    if any("__partial" in call.kernel for call in best[0].step):
        whole = candidates(graph, scheme, options, pieces=False)
        best = plan_within(whole, best[1].nbytes + PIECES_BYTES) or best
    return best


def candidates(
    graph: Graph, scheme: Scheme, options: Options, *, pieces: bool
) -> Sequence[Program]:
    """The programs to choose from: whole layers first, then ways to compute some tile by tile.

    pieces: whether large weights that are trained in part are put together piece by piece.
    """
    with_chains = partial(
        lower,
        graph,
        scheme,
        loss=parse_loss(options.loss),
        gradients=gradient_type(options.gradients),
        optimizer=options.optimizer,
        pieces=pieces,
    )
    whole = with_chains()
    choices = dict.fromkeys(
        choose_chains(graph, whole, options.patches, overlap=overlap) for overlap in (False, True)
    )
    return [whole, *(with_chains(chains=chains) for chains in choices if chains)]


def compile_graph(graph: Graph, update: str, options: Options = DEFAULTS) -> Compiled:
    """Run the pipeline on an imported graph."""
    graph = trained_graph(graph, options)
    scheme = freeze(graph, parse_scheme(graph, update), options.freeze)
    program, arena = plan_scheme(graph, scheme, options)
    source = generate(graph, program, arena)
    return Compiled(graph, scheme, update, program, arena, source, options)


def compile_model(
    path: Path | str,
    update: str = "all",
    options: Options = DEFAULTS,
    *,
    name: str | None = None,
) -> Compiled:
    """Run the pipeline on a model file; a TinyTrainError says what does not work.

    gradients: "int16", or "int8" for less memory (docs/NUMERICS.md, Gradient precision).
    name: of the model, if not the file's. The result is kept: the same files give it at once.
    """
    path = Path(path)

    def run() -> Compiled:
        graph = load(path)
        graph = replace(graph, name=plain_name(name)) if name else graph
        return compile_graph(graph, update, options)

    def make(folder: Path) -> None:
        (folder / KEPT).write_bytes(pickle.dumps(run()))

    files = [path, Path(update)] if names_file(update) else [path]
    if not all(file.is_file() for file in files):
        return run()  # which says so
    words = [path.name, update, repr(options), str(name), np.__version__, sys.version]
    key = digest(words, [*files, *_pipeline()])
    return cast(Compiled, pickle.loads((kept("compiled", key, make, KEPT) / KEPT).read_bytes()))


def _pipeline() -> list[Path]:
    """What else the result depends on: this package, and the kernels, which say what they take."""
    places = ((Path(__file__).parent, "*.py"), (c_kernels_dir(), "*.[ch]"))
    return [file for folder, names in places for file in sorted(folder.rglob(names))]
