"""docs/accuracy.svg: every seed a dot, the means as bars, by task."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt

from accuracy.benchmark import NEAREST8
from accuracy.report import Report
from tinytrain.compilation import DEFAULTS

COLOURS = {
    ("float", "all", DEFAULTS): "#4477aa",
    ("integer", "all", DEFAULTS): "#ee6677",
    ("integer", "all", NEAREST8): "#aaaaaa",
    ("float", "head", DEFAULTS): "#99bbdd",
    ("integer", "head", DEFAULTS): "#f4aab2",
}
WIDTH = 0.8


def plot(report: Report, path: Path) -> None:
    """One group a task, one colour a variant; the file follows from the results alone."""
    mpl.use("svg")
    mpl.rcParams.update({"svg.hashsalt": "tinytrain", "font.size": 9})
    shown = [v for v in report.variants if (v.kind, v.scheme, v.options) in COLOURS]
    figure, axes = plt.subplots(figsize=(10, 4.2), layout="constrained")
    step = WIDTH / len(shown)
    for i, variant in enumerate(shown):
        colour = COLOURS[variant.kind, variant.scheme, variant.options]
        for place, task in enumerate(report.tasks):
            values = report.main(task, variant)
            assert values is not None
            x = place + (i + 0.5) * step - WIDTH / 2
            label = variant.name if place == 0 else None
            axes.bar(x, values.mean(), 0.92 * step, color=colour, alpha=0.75, label=label)
            axes.plot([x] * len(values), values, ".", color="black", markersize=2.5, alpha=0.6)
    axes.set_xticks(range(len(report.tasks)), [t.title.replace(", ", ",\n") for t in report.tasks])
    axes.set_ylabel("test accuracy in %")
    axes.set_ylim(0, 100)
    axes.spines[["top", "right"]].set_visible(False)
    axes.yaxis.grid(visible=True, alpha=0.3)
    axes.set_axisbelow(True)
    figure.legend(loc="outside upper center", ncols=len(shown), frameon=False)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
