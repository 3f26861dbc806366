"""Accuracy against memory, and the contributions of all tensors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tinytrain.errors import BuildError
from tinytrain.search.run import Found
from tinytrain.search.study import Study

KINDS = {"found": "#ee6677", "last": "#4477aa", "bias": "#aaaaaa"}
LABELS = {"found": "found by the search", "last": "last:N", "bias": "biases (and last weight)"}
SHADES = ("#dddddd", "#bbccee", "#88aadd", "#4477bb", "#224488")
"""Bias alone, then growing parts of the weight."""


def check_plotting() -> None:
    """BuildError without matplotlib."""
    try:
        import matplotlib as mpl  # noqa: F401
    except ImportError as error:
        raise BuildError("matplotlib is not installed: pip install tinytrain[demo]") from error


def plot(study: Study, found: Found, path: Path) -> None:
    """Write the picture; its format is that of the name, svg or png."""
    check_plotting()
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"svg.hashsalt": "tinytrain", "font.size": 9}):
        figure = Figure(figsize=(11, 4.2), layout="constrained")
        left, right = figure.subplots(1, 2)
        _memory(left, study, found)
        _contributions(right, study, found)
        for axes in (left, right):
            axes.spines[["top", "right"]].set_visible(False)
            axes.yaxis.grid(visible=True, alpha=0.3)
            axes.set_axisbelow(True)
        kind = path.suffix.lstrip(".").lower()
        metadata = {"Date": None} if kind == "svg" else {}
        part = path.with_name(f".part-{path.name}")
        figure.savefig(part, format=kind, dpi=150, metadata=metadata)
    part.replace(path)


def _memory(axes: Any, study: Study, found: Found) -> None:
    percent = study.options.loss != "mse"
    factor = 100 if percent else 1
    for kind, colour in KINDS.items():
        chosen = [c for c in found.candidates if c.name.startswith(kind)]
        chosen.sort(key=lambda c: c.cost.ram)
        x = [c.cost.ram / 1024 for c in chosen]
        y = [factor * c.measured.score.quality for c in chosen]
        style = "o-" if kind == "found" else "o--"
        if chosen:
            axes.plot(x, y, style, color=colour, markersize=4, linewidth=1, label=LABELS[kind])
    best = found.best
    where = best.cost.ram / 1024, factor * best.measured.score.quality
    axes.plot(*where, "*", color="black", markersize=11, label="chosen", zorder=5)
    axes.axvline(found.request.budget.ram / 1024, color="black", linewidth=0.8, linestyle=":")
    before = factor * found.before.score.quality
    axes.axhline(before, color="black", linewidth=0.8, alpha=0.4)
    axes.annotate(
        "before", (1, before), xycoords=("axes fraction", "data"), ha="right", va="bottom"
    )
    axes.set_xlabel("arena and state in KB (dotted: allowed)")
    axes.set_ylabel("validation accuracy in %" if percent else "minus mean squared error")
    axes.set_title(f"{study.graph.name}: accuracy against memory")
    axes.legend(frameon=False)


def _contributions(axes: Any, study: Study, found: Found) -> None:
    by_layer: dict[str, list[float]] = {}
    factor = 100 if not found.request.cheap and study.options.loss != "mse" else 1
    for c in found.contributions:
        by_layer.setdefault(c.layer, []).append(factor * c.gain)
    most = max(len(gains) for gains in by_layer.values())
    for place in range(most):
        chosen = [(i, g[place]) for i, g in enumerate(by_layer.values()) if place < len(g)]
        x = [i + (place + 0.5) * 0.8 / most - 0.4 for i, _ in chosen]
        label = ("bias" if place == 0 else "more of the weight") if place in (0, most - 1) else None
        shade = SHADES[min(place, len(SHADES) - 1)]
        axes.bar(x, [g for _, g in chosen], 0.75 / most, color=shade, label=label)
    axes.set_xticks(range(len(by_layer)), list(by_layer), rotation=60, ha="right", fontsize=7)
    axes.axhline(0, color="black", linewidth=0.8)
    what = "Fisher information" if found.request.cheap else "gain in points of probability"
    axes.set_ylabel(what)
    axes.set_yscale("log" if found.request.cheap else "linear")
    axes.set_title("contribution of each tensor alone")
    axes.legend(frameon=False)
