"""Tables and the picture of the comparison of update schemes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from schemes.benchmark import METHODS, RIVALS, Case, Outcome

Results = Mapping[Case, Sequence[Mapping[str, Outcome]]]
COLOURS = dict(zip(METHODS, ("#888888", "#4477aa", "#ccbb44", "#228833", "#aa77bb", "#ee6677"),
                   strict=True))  # fmt: skip
OURS = "tinytrain plan"


def table(results: Results) -> str:
    """Test accuracy and RAM: mean and standard deviation over the seeds, in percent."""
    heads = [f"{c.task}, {c.ram // 1024} KB" for c in results]
    rows = [[name, *(_cell(runs, name) for runs in results.values())] for name in METHODS]
    return _markdown(["", *heads], rows)


def difference_table(results: Results) -> str:
    """The search minus each rival, seed by seed: mean and its standard error, in points."""
    rows = []
    for name in (*RIVALS, "tinytrain plan --cheap"):
        cells = []
        for runs in results.values():
            both = [(r[OURS].accuracy, r[name].accuracy) for r in runs if name in r]
            d = 100 * np.array([a - b for a, b in both])
            error = d.std(ddof=1) / np.sqrt(len(d)) if len(d) > 1 else 0.0
            cells.append(f"{d.mean():+.1f} ± {error:.1f}" if len(d) else "")
        rows.append([f"minus {name}", *cells])
    heads = [f"{c.task}, {c.ram // 1024} KB" for c in results]
    return _markdown(["", *heads], rows)


def _cell(runs: Sequence[Mapping[str, Outcome]], name: str) -> str:
    found = [r[name] for r in runs if name in r]
    if not found:
        return "does not fit"
    values = 100 * np.array([o.accuracy for o in found])
    ram = np.mean([o.ram for o in found])
    spread = values.std(ddof=1) if len(values) > 1 else 0.0
    return f"{values.mean():.1f} ± {spread:.1f}" + (f" ({ram:,.0f})" if ram else "")


def _markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---", *(["---:"] * (len(heads) - 1))], *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def plot(results: Results, path: Path) -> None:
    """Accuracy against memory by task: each seed a dot, the means joined."""
    tasks = list(dict.fromkeys(c.task for c in results))
    with mpl.rc_context({"svg.hashsalt": "tinytrain", "font.size": 9}):
        figure = Figure(figsize=(5 * len(tasks), 4), layout="constrained")
        for axes, task in zip(np.atleast_1d(figure.subplots(1, len(tasks))), tasks, strict=True):
            for name in METHODS[1:]:
                found = [
                    [r[name] for r in runs if name in r]
                    for case, runs in results.items()
                    if case.task == task
                ]
                found = [f for f in found if f]
                x = [np.mean([o.ram for o in f]) / 1024 for f in found]
                y = [100 * np.mean([o.accuracy for o in f]) for f in found]
                axes.plot(x, y, "o-", color=COLOURS[name], label=name, linewidth=1.2)
                for f in found:
                    dots = [o.ram / 1024 for o in f], [100 * o.accuracy for o in f]
                    axes.plot(*dots, ".", color=COLOURS[name], alpha=0.35, markersize=4)
            axes.set_title(task)
            axes.set_xlabel("arena and state in KB")
            axes.set_ylabel("test accuracy in %")
            axes.spines[["top", "right"]].set_visible(False)
            axes.grid(visible=True, alpha=0.3)
        figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=5,
                      frameon=False)  # fmt: skip
        figure.savefig(path, format="svg", metadata={"Date": None})
