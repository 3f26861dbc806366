"""docs/camera.svg: accuracy by shots, by seconds on the Pico, and what is forgotten."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from results import BASELINE

COLOURS = {
    BASELINE: "#999999",
    "small, head": "#ee6677",
    "small, last 5 layers": "#ccbb44",
    "small, all layers": "#228833",
    "MCUNet, head": "#4477aa",
}


def plot(values: dict[str, Any], path: Path) -> None:
    """Three panels; the file follows from the results alone."""
    mpl.use("svg")
    mpl.rcParams.update({"svg.hashsalt": "tinytrain", "font.size": 9})
    figure, panels = plt.subplots(1, 3, figsize=(11, 3.8), layout="constrained")
    _shots(panels[0], values)
    _time(panels[1], values)
    _forgetting(panels[2], values)
    for axes in panels:
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(visible=True, alpha=0.3)
        axes.set_axisbelow(True)
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncols=4, frameon=False)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def _shots(axes: Axes, values: dict[str, Any]) -> None:
    for name, by_count in values["shots"].items():
        floating = name.endswith(", float32")
        colour = COLOURS[name.removesuffix(", float32")]
        means = [np.mean(v) for v in by_count.values()]
        style = {"linestyle": ":" if floating else "-", "linewidth": 1 if floating else 1.8}
        axes.plot([int(n) for n in by_count], means, marker=".", color=colour, label=name, **style)
    axes.set(xscale="log", xlabel="pictures of each class", ylabel="accuracy in %")
    axes.set_title("person or not, by shots")
    axes.set_xticks(counts := [int(n) for n in by_count], [str(n) for n in counts])
    axes.minorticks_off()


def _time(axes: Axes, values: dict[str, Any]) -> None:
    for name, by_steps in values["time"].items():
        t = values["timing"][name]
        shown = 2 * values["timed_shots"] * values["views"] * t["view_ms"]
        seconds = [(shown + int(n) * t["step_ms"]) / 1000 for n in by_steps]
        means = np.array([np.mean(v) for v in by_steps.values()])
        spread = np.array([np.std(v) for v in by_steps.values()])
        axes.plot(seconds, means, marker=".", color=COLOURS[name])
        axes.fill_between(seconds, means - spread, means + spread, color=COLOURS[name], alpha=0.15)
    axes.axvline(600, color="black", linestyle="--", linewidth=0.8)
    axes.text(560, 52, "10 minutes", rotation=90, ha="right", va="bottom")
    axes.set(xscale="log", xlabel="seconds on a Pico, showing and learning", ylim=(50, 100))
    axes.set_title(f"by time, {values['timed_shots']} shots")


def _forgetting(axes: Axes, values: dict[str, Any]) -> None:
    shown = [(name, v) for name, v in values["forgetting"].items() if name in COLOURS]
    width = 0.8 / len(shown)
    variants = list(shown[0][1])
    for i, (name, found) in enumerate(shown):
        places = np.arange(len(variants)) + (i + 0.5) * width - 0.4
        means = [np.mean(found[v]["people after"]) for v in variants]
        axes.bar(places, means, 0.9 * width, color=COLOURS[name], alpha=0.85)
        before = float(np.mean(found[variants[0]]["people before"]))
        axes.axhline(before, color=COLOURS[name], linewidth=0.8, linestyle=":")
    axes.set_xticks(range(len(variants)), ["none", *(v.split()[0] for v in variants[1:])])
    axes.set(xlabel="latents rehearsed of each class", ylim=(0, 100))
    axes.set_title("people, after two things joined")
