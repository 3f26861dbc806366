"""Finds each task's learning rates: the float side alone decides, on seeds of its own.

python examples/accuracy/tune.py [TASK or SCHEME ...]
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from accuracy.benchmark import VARIANTS, Job, run_all
from accuracy.tasks import TASKS

SCHEMES = ("all", "last", "bias", "head")
SEEDS = range(1000, 1006)
GRID = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3)


def main() -> None:
    """Prints mean accuracy by task, scheme and rate."""
    names = sys.argv[1:]
    schemes = [s for s in names if s in SCHEMES] or SCHEMES
    names = [n for n in names if n not in SCHEMES] or [t.name for t in TASKS]
    floats = [v for v in VARIANTS if v.kind == "float" and v.scheme in schemes]
    jobs = [Job(n, s, v, rate) for n in names for v in floats for rate in GRID for s in SEEDS]
    found: dict[tuple[str, str], dict[float, list[float]]] = defaultdict(lambda: defaultdict(list))
    for result in track(run_all(jobs, 2), total=len(jobs)):
        job = result.job
        score = next(iter(result.accuracy.values()))
        found[job.task, job.variant.scheme][job.rate or 0].append(score)
    console = Console(highlight=False, soft_wrap=True)
    for (task, scheme), rates in sorted(found.items()):
        means = "  ".join(f"{r:g}: {100 * np.mean(rates[r]):5.1f}" for r in GRID)
        console.print(f"{task:10} {scheme:5} {means}")


if __name__ == "__main__":
    main()
