"""Searched update schemes against last:N and bias:N at equal memory, on two transfer tasks.

make schemes
make schemes ARGS='--seeds 2 --jobs 4 --output build'
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from accuracy.benchmark import find_task  # noqa: E402
from accuracy.models import cache_folder, make_missing  # noqa: E402
from accuracy.tasks import prepare  # noqa: E402
from schemes.benchmark import CASES, Case, Outcome, compare  # noqa: E402
from schemes.report import difference_table, plot, table  # noqa: E402
from tinytrain.search.cache import Cache  # noqa: E402
from tinytrain.search.pool import Processes  # noqa: E402

console = Console(highlight=False, soft_wrap=True)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--task", action="append", help="only cases of this task; repeatable")
    parser.add_argument("--seeds", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--output", type=Path, help="folder for schemes.svg and schemes.json")
    parser.add_argument("--jobs", type=int, default=2, help="processes (default: %(default)s)")
    return parser.parse_args()


def main() -> None:
    """Run, print, write."""
    start = time.monotonic()
    a = arguments()
    cases = [c for c in CASES if not a.task or c.task in a.task]
    make_missing()
    prepare([find_task(c.task) for c in cases])
    pool, cache = Processes(a.jobs), Cache(cache_folder() / "schemes.cache")
    results: dict[Case, list[dict[str, Outcome]]] = {}
    bar = Progress(TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn(),
                   console=console, transient=True, disable=not console.is_terminal)  # fmt: skip
    with bar as progress:
        task = progress.add_task("")
        for case in cases:
            for seed in range(a.seeds):
                where = f"{case.task} {case.ram:,} bytes, seed {seed}"

                def show(what: str, done: int, total: int, where: str = where) -> None:
                    text = f"{where}: {what}"
                    progress.update(task, description=text, completed=done, total=total or None)

                outcome = dict(compare(case, seed, pool, cache, show))
                results.setdefault(case, []).append(outcome)
                best = outcome["tinytrain plan"]
                console.print(f"{where}: {best.accuracy:.1%} with {best.scheme}")
    for text in (table(results), difference_table(results)):
        console.print(f"\n{text}", markup=False)
    if a.output:
        a.output.mkdir(parents=True, exist_ok=True)
        _publish(results, a.output)
        console.print(f"\nwritten to {a.output}: schemes.svg, schemes.json")
    console.print(f"{time.monotonic() - start:.0f} s in all")


def _publish(results: dict[Case, list[dict[str, Outcome]]], folder: Path) -> None:
    plot(results, folder / "schemes.svg")
    entries = [
        {**asdict(case), "seed": seed, "methods": {k: asdict(v) for k, v in outcome.items()}}
        for case, outcomes in results.items()
        for seed, outcome in enumerate(outcomes)
    ]
    (folder / "schemes.json").write_text(json.dumps(entries, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
