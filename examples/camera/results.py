"""What all seeds gave: run, as camera.json, and as tables."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from models import EVERYTHING, HEAD, LARGE, LAST, available
from study import (
    EVERY,
    KEPT,
    SHOTS,
    STEPS,
    TIMED_SHOTS,
    TIMED_STEPS,
    Bench,
    baseline,
    forget,
    recognise,
)
from timing import measure

Values = dict[str, Any]
BASELINE = "logistic regression, raw pixels"
FLOATS = (HEAD, EVERYTHING, LARGE)


def label(bench: Bench) -> str:
    """How a row is called."""
    return bench.setup.name + (", float32" if bench.floating else "")


def run(seeds: Sequence[int], say: Callable[[str], None]) -> Values:
    """Everything; percent by name, one number a seed."""
    timings: Values = {}
    for setup in available():
        say(f"timing {setup.name}")
        with tempfile.TemporaryDirectory() as folder:
            timings[setup.name] = asdict(measure(setup, Path(folder)))
    benches = [Bench(setup) for setup in available()]
    floats = [Bench(setup, floating=True) for setup in available() if setup in FLOATS]
    shots: Values = {
        BASELINE: {n: [_round(baseline(benches[0].shape, n, s)) for s in seeds] for n in SHOTS}
    }
    for bench in (*floats, *benches):
        say(f"shots: {label(bench)}")
        shots[label(bench)] = {
            n: [_round(recognise(bench, n, STEPS, s)) for s in seeds] for n in SHOTS
        }
    time: Values = {}
    for bench in benches:
        say(f"time: {label(bench)}")
        time[label(bench)] = {
            n: [_round(recognise(bench, TIMED_SHOTS, n, s)) for s in seeds] for n in TIMED_STEPS
        }
    forgetting: Values = {}
    for bench in benches:
        if bench.setup == LAST:
            continue
        say(f"forgetting: {label(bench)}")
        forgetting[label(bench)] = dict(_forgetting(bench, seeds))
    return {
        "seeds": list(seeds),
        "steps": STEPS,
        "views": EVERY,
        "timed_shots": TIMED_SHOTS,
        "timing": timings,
        "shots": shots,
        "time": time,
        "forgetting": forgetting,
    }


def _forgetting(bench: Bench, seeds: Sequence[int]) -> Iterator[tuple[str, Values]]:
    for kept in (None, *KEPT):
        found = [forget(bench, kept, seed) for seed in seeds]
        name = f"{kept} kept of each" if kept else "not rehearsed"
        yield name, {key: [_round(f[key]) for f in found] for key in found[0]}


def _round(value: float) -> float:
    return round(value, 3)


def to_json(values: Values) -> str:
    """With the seeds of a figure on one line."""
    first, *others = json.dumps(values, indent=1, ensure_ascii=False).split("[")
    lists = [part.split("]", 1) for part in others]
    return first + "".join(f"[{' '.join(a.split())}]{b}" for a, b in lists) + "\n"


def shots_table(v: Values) -> str:
    """Accuracy by shots."""
    counts = [str(n) for n in SHOTS]
    rows = [["", *(f"{n} shots" for n in counts)]]
    for name, by_count in v["shots"].items():
        rows.append([name, *(_spread(by_count[n]) for n in counts)])
    return markdown(rows)


def seconds_table(v: Values) -> str:
    """What it costs on the Pico."""
    titles = ("a view, ms", "a step, ms", "a look, ms", "kept, bytes", "RAM, bytes")
    more = (*(f"{n} shots, s" for n in SHOTS), "heap left, bytes")
    rows = [["", *titles, *more]]
    for name, t in v["timing"].items():
        kept = t["latent_bytes"] or "784 (pixels)"
        cells = [t["view_ms"], t["step_ms"], t["look_ms"], kept, f"{t['trainer_bytes']:,}"]
        seconds = [2 * n * v["views"] * t["view_ms"] + v["steps"] * t["step_ms"] for n in SHOTS]
        totals = [f"{s / 1000:.1f}" for s in seconds]
        rows.append([name, *map(str, cells), *totals, f"{t['heap_left']:,}"])
    return markdown(rows)


def time_table(v: Values) -> str:
    """Accuracy by steps, and the seconds that showing and learning took."""
    rows = [["", *(f"{n} steps" for n in TIMED_STEPS)]]
    for name, by_steps in v["time"].items():
        t = v["timing"][name]
        shown = 2 * v["timed_shots"] * v["views"] * t["view_ms"]
        cells = []
        for n in TIMED_STEPS:
            seconds = (shown + n * t["step_ms"]) / 1000
            cells.append(f"{np.mean(by_steps[str(n)]):.1f} in {seconds:.1f} s")
        rows.append([name, *cells])
    return markdown(rows)


def forgetting_table(v: Values) -> str:
    """What is left of the old when two things join."""
    rows: list[list[str]] = []
    for name, variants in v["forgetting"].items():
        for variant, means in variants.items():
            rows = rows or [["", "", *means]]
            rows.append([name, variant, *(_spread(values) for values in means.values())])
    return markdown(rows)


TABLES = {
    "shots": shots_table,
    "seconds": seconds_table,
    "time": time_table,
    "forgetting": forgetting_table,
}


def _spread(values: Sequence[float]) -> str:
    return f"{np.mean(values):.1f} ± {np.std(values):.1f}"


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """A table whose columns are lined up."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]

    def line(cells: Sequence[str]) -> str:
        first, *others = zip(cells, widths, strict=True)
        right = (cell.rjust(width) for cell, width in others)
        return "| " + " | ".join([first[0].ljust(first[1]), *right]) + " |"

    rule = ["-" * w if i == 0 else "-" * (w - 1) + ":" for i, w in enumerate(widths)]
    return "\n".join([line(rows[0]), line(rule), *map(line, rows[1:])])
