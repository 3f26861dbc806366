"""`make gradients`: how far integer gradients are from float64 autograd, by model and precision.

Every parameter of every model is trained; each line is the worst and the median over parameters
and examples. The goal is a cosine of 0.99 and a ratio of norms within 5 %.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from oracle.autograd import gradients as oracle_gradients
from oracle.compare import Closeness, closeness
from support import shared
from support.training import initial_state
from support.zoo import ZOO
from tinytrain.compilation import Options, compile_graph
from tinytrain.importers import load
from tinytrain.ir import Graph
from tinytrain.sim.goal import Goal
from tinytrain.sim.gradients import gradients

TYPES = ("int16", "int8")
SEEDS = range(6)
EXAMPLES = 4
FASHION = Path(__file__).parents[1] / "examples" / "digits" / "fashion.tflite"


@dataclass(frozen=True)
class Subject:
    """A model and examples for it; or, without a graph, why there is none."""

    name: str
    graph: Graph | None
    inputs: Sequence[NDArray[Any]] = ()
    reason: str = ""


def subjects() -> Iterator[Subject]:
    for name in shared.NAMES:
        yield _shared(name)
    graph = load(FASHION)
    shape = (EXAMPLES, *graph.input.shape)
    noise = np.random.default_rng(0).integers(-128, 128, shape).astype(np.int8)
    yield Subject("fashion (examples/digits)", graph, list(noise))
    for name, make in ZOO.items():
        for seed in SEEDS:
            model = make(seed)
            yield Subject(f"random {name}", model.graph(), list(model.noise(seed, EXAMPLES)))


def _shared(name: str) -> Subject:
    path = shared.MODELS / f"{name}.tflite"
    if not path.exists():
        return Subject(name, None, reason=f"{path} is absent")
    graph = load(path)
    if graph.tensors[graph.output.tensor].size == 1:
        return Subject(name, None, reason="one output: the loss is 0 whatever the weights are")
    x = shared.to_int8(graph, shared.golden(name)[0])
    return Subject(name, graph, list(x[-EXAMPLES:]))


def measure(subject: Subject) -> dict[str, Any]:
    """What all types give: arena bytes, and each parameter's closeness for each example."""
    assert subject.graph is not None
    found: dict[str, Any] = {}
    exact: list[Any] = []
    for kind in TYPES:
        compiled = compile_graph(subject.graph, "all", Options(gradients=kind))
        state, each = initial_state(compiled), []
        for i, x in enumerate(subject.inputs):
            label = i % compiled.program.classes
            if kind == TYPES[0]:  # the forward pass, and so the oracle, is the same for all
                exact.append(oracle_gradients(compiled, x.reshape(-1), label))
            loss, theirs = exact[i]
            if loss > 1e-6:  # else all probabilities but one end at 2^-28 or at 0
                ours = gradients(compiled, state, x.reshape(-1), Goal(label))
                each += closeness(ours, theirs)
        found[kind] = {"arena": compiled.arena.nbytes, "closeness": each}
    return found


def summary(each: Sequence[Closeness]) -> dict[str, float]:
    cosines, ratios = [c.cosine for c in each], [c.ratio for c in each]
    return {
        "cosine_worst": min(cosines),
        "cosine_median": float(np.median(cosines)),
        "ratio_low": min(ratios),
        "ratio_median": float(np.median(ratios)),
        "ratio_high": max(ratios),
        "outside": sum(not c.within() for c in each),
        "compared": len(each),
    }


def collect() -> tuple[list[dict[str, Any]], list[Subject]]:
    """A row for each name and type, and what was skipped."""
    merged: dict[tuple[str, str], dict[str, Any]] = {}
    skipped = []
    todo = list(track(subjects(), "reading", console=Console(stderr=True), transient=True))
    for subject in track(todo, "measuring", console=Console(stderr=True), transient=True):
        if subject.graph is None:
            skipped.append(subject)
            continue
        for kind, result in measure(subject).items():
            row = merged.setdefault((subject.name, kind), {"arena": 0, "closeness": []})
            row["arena"] = max(row["arena"], result["arena"])
            row["closeness"] += result["closeness"]
    rows = [
        {"model": name, "gradients": kind, "arena": row["arena"], **summary(row["closeness"])}
        for (name, kind), row in merged.items()
    ]
    return rows, skipped


def render(rows: Sequence[dict[str, Any]]) -> Table:
    table = Table(title="integer gradients against float64 autograd, update all")
    table.add_column("model")
    for title in ("gradients", "arena bytes", "cosine worst", "median", "norms", "median"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("out of bounds", justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            row["model"] if row["gradients"] == TYPES[0] else "",
            row["gradients"],
            f"{row['arena']:,}",
            f"{row['cosine_worst']:.4f}",
            f"{row['cosine_median']:.4f}",
            f"{row['ratio_low']:.3f} .. {row['ratio_high']:.3f}",
            f"{row['ratio_median']:.3f}",
            f"{row['outside']} of {row['compared']}",
            end_section=row["gradients"] == TYPES[-1],
        )
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows, skipped = collect()
    Console(width=None if Console().is_terminal else 130).print(render(rows))
    for subject in skipped:
        print(f"skipped {subject.name}: {subject.reason}")
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
