"""The accuracy benchmark: fine-tuning in integers against fine-tuning in float, on real data.

make accuracy                          # all tasks; writes docs/ACCURACY.md, .svg and .json
make accuracy ARGS='--task faces10'    # one task, on the terminal only
make accuracy ARGS='--first-seed 50 --output other'
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.progress import track

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from accuracy.benchmark import VARIANTS, Job, find_task, run_all  # noqa: E402
from accuracy.models import make_missing  # noqa: E402
from accuracy.publish import PAGE, TABLES, publish  # noqa: E402
from accuracy.report import collect  # noqa: E402
from accuracy.tasks import TASKS, prepare  # noqa: E402

DOCS = HERE.parents[1] / "docs"
console = Console(highlight=False, soft_wrap=True)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    names = [t.name for t in TASKS]
    parser.add_argument("--task", action="append", choices=names, help="only this one; repeatable")
    parser.add_argument("--seeds", type=int, default=5, help="how many (default: %(default)s)")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--steps", type=int, help="stop learning after so many (for a quick look)")
    parser.add_argument("--jobs", type=int, default=2, help="processes (default: %(default)s)")
    parser.add_argument("--output", type=Path, default=DOCS, help="folder (default: docs)")
    return parser.parse_args()


def main() -> None:
    """Run, print, write."""
    start = time.monotonic()
    a = arguments()
    tasks = [find_task(name) for name in a.task] if a.task else list(TASKS)
    seeds = range(a.first_seed, a.first_seed + a.seeds)
    with console.status("preparing models and data"):
        make_missing()
        prepare(tasks)
    jobs = [Job(t.name, s, v, steps=a.steps) for t in tasks for s in seeds for v in VARIANTS]
    progress = track(run_all(jobs, a.jobs), "learning", len(jobs), console=console)
    report = collect(tasks, VARIANTS, seeds, progress)
    for table in TABLES.values():
        console.print(f"\n{table(report)}", markup=False)
    if not a.task and a.steps is None:
        publish(report, (DOCS / PAGE).read_text(encoding="utf-8"), a.output)
        console.print(f"\nwritten to {a.output}: {PAGE}, accuracy.svg, accuracy.json")
    console.print(f"{time.monotonic() - start:.0f} s in all")


if __name__ == "__main__":
    main()
