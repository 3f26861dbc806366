"""What the benchmark found, and the tables of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from accuracy.benchmark import Result, Variant
from accuracy.episode import Task

DECIMALS = 4

Scores = Mapping[str, Mapping[str, Mapping[str, list[float]]]]
"""Percent by task, variant and test, one number a seed."""


@dataclass(frozen=True, slots=True)
class Report:
    """All results of a run."""

    tasks: Sequence[Task]
    variants: Sequence[Variant]
    seeds: Sequence[int]
    scores: Scores

    def main(self, task: Task, variant: Variant) -> np.ndarray | None:
        """The accuracies that count, in percent; None where the variant does not apply."""
        tests = self.scores[task.name][variant.name]
        return np.array(next(iter(tests.values()))) if tests else None

    def pairs(self) -> list[tuple[Variant, Variant]]:
        """Float and ours with the same update scheme."""
        floats = {v.scheme: v for v in self.variants if v.kind == "float"}
        ours = [v for v in self.variants if v.kind == "integer"]
        return [(floats[v.scheme], v) for v in ours if v.scheme in floats]


def collect(
    tasks: Sequence[Task],
    variants: Sequence[Variant],
    seeds: Sequence[int],
    results: Iterable[Result],
) -> Report:
    """Sort what came in the order in which it ended."""
    found = {(r.job.task, r.job.variant.name, r.job.seed): r.accuracy for r in results}
    scores: dict[str, dict[str, dict[str, list[float]]]] = {}
    for task in tasks:
        rows = scores[task.name] = {}
        for variant in variants:
            by_seed = [found[task.name, variant.name, seed] for seed in seeds]
            rows[variant.name] = {
                test: [round(100 * accuracy[test], DECIMALS) for accuracy in by_seed]
                for test in by_seed[0]
            }
    return Report(tasks, variants, seeds, scores)


def accuracy_table(report: Report) -> str:
    """Every variant on every task: mean and standard deviation over the seeds."""
    rows = [["", *(t.title for t in report.tasks), "mean"]]
    for variant in report.variants:
        found = [report.main(task, variant) for task in report.tasks]
        cells = ["" if a is None else f"{a.mean():.1f} ± {a.std():.1f}" for a in found]
        means = [a.mean() for a in found if a is not None]
        mean = f"{np.mean(means):.1f}" if len(means) == len(found) else ""
        rows.append([variant.name, *cells, mean])
    return _markdown(rows)


def difference_table(report: Report) -> str:
    """Ours minus float with the same seed: mean over the seeds and its standard error."""
    rows = [["minus float32", *(t.title for t in report.tasks), "mean"]]
    for base, variant in report.pairs():
        gaps = [_gap(report, task, base, variant) for task in report.tasks]
        cells = [f"{g.mean():+.1f} ± {g.std() / np.sqrt(max(len(g) - 1, 1)):.1f}" for g in gaps]
        mean = float(np.mean([g.mean() for g in gaps]))
        rows.append([variant.name, *cells, f"{mean:+.2f}"])
    return _markdown(rows)


def _gap(report: Report, task: Task, base: Variant, variant: Variant) -> np.ndarray:
    ours, theirs = report.main(task, variant), report.main(task, base)
    assert ours is not None and theirs is not None
    return ours - theirs


def forgetting_table(report: Report) -> str:
    """The tests beside the first one, where a task has some."""
    tasks = [t for t in report.tasks if len(_tests(report, t)) > 1]
    columns = [(t, test) for t in tasks for test in _tests(report, t)]
    if not columns:
        return ""
    rows = [["", *(f"{t.title}: {test}" for t, test in columns)]]
    for v in report.variants:
        found = [report.scores[t.name][v.name].get(test) for t, test in columns]
        if all(found):
            rows.append([v.name, *(f"{np.mean(a):.1f}" for a in found if a is not None)])
    return _markdown(rows)


def _tests(report: Report, task: Task) -> list[str]:
    return list(next(iter(report.scores[task.name].values())))


def _markdown(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [_line(row, widths) for row in rows]
    rule = _line(["-" * w if i == 0 else "-" * (w - 1) + ":" for i, w in enumerate(widths)], widths)
    return "\n".join([lines[0], rule, *lines[1:]])


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = (
        c.ljust(w) if i == 0 else c.rjust(w)
        for i, (c, w) in enumerate(zip(cells, widths, strict=True))
    )
    return "| " + " | ".join([first, *others]) + " |"
