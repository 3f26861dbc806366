"""Writes the keyboard's results down: keyboard.json, keyboard.svg, the table in KEYBOARD.md."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt

PAGE = "KEYBOARD.md"
BEGIN, END = "<!-- results: written by make keyboard -->", "<!-- end of results -->"
ONE_WEIGHT = "30"  # the one that is best for all four together
STOPS = ("0", "3000", "20000")
SHOWN = (("4-gram", "4-gram", "#aaaaaa"), ("float", "float32", "#4477aa"))
NETWORK = ("network", "network, int8", "#ee6677")

Results = dict[str, Any]


def table(results: Results) -> str:
    """Markdown; bits per character unless said otherwise."""
    head = ("text", "typed", "network, int8", "network, float32", "4-gram", "4-gram, best weight",
            "keys saved, network", "4-gram", "general text", "not rehearsed")  # fmt: skip
    lines = [f"| {' | '.join(head)} |", "|---|" + "---:|" * (len(head) - 1)]
    for name, found in results.items():
        ours, other, float32 = found["network"], found["4-gram"], found["float"]
        for stop in STOPS:
            one = other["by weight"].get(stop, {}).get(ONE_WEIGHT, other["bits"][stop])
            best = "**" if ours["bits"][stop] < min(one, other["bits"][stop]) else ""
            lines.append(
                f"| {name} | {int(stop):,} | {best}{ours['bits'][stop]:.3f}{best} "
                f"| {float32['bits'][stop]:.3f} | {one:.3f} | {other['bits'][stop]:.3f} "
                f"| {100 * ours['saved'][stop]:.1f} % | {100 * other['saved'][stop]:.1f} % "
                f"| {ours['general'][stop]:.3f} "
                f"| {found['without general text']['general'][stop]:.3f} |"
            )
    return "\n".join(lines)


def publish(results: Results, folder: Path) -> None:
    """All three; the page keeps the text around the table."""
    results = json.loads(json.dumps(results), parse_float=lambda s: round(float(s), 4))
    page = folder / PAGE
    if page.exists():
        before, rest = page.read_text(encoding="utf-8").split(BEGIN)
        after = rest.split(END)[1]
        page.write_text(f"{before}{BEGIN}\n{table(results)}\n{END}{after}", encoding="utf-8")
    (folder / "keyboard.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    plot(results, folder / "keyboard.svg")


def plot(results: Results, path: Path) -> None:
    """Bits per character by characters typed, a panel for each person."""
    mpl.use("svg")
    mpl.rcParams.update({"svg.hashsalt": "tinytrain", "font.size": 9})
    figure, panels = plt.subplots(1, len(results), figsize=(10, 3.2), layout="constrained")
    places = range(len(STOPS))
    for axes, (name, found) in zip(panels, results.items(), strict=True):
        for key, label, colour in (*SHOWN, NETWORK):
            values = [found[key]["bits"][stop] for stop in STOPS]
            axes.plot(places, values, "o-", color=colour, label=label, linewidth=1.8)
        axes.set_title(f"{name} (control)" if name == "law" else name)
        axes.set_xticks(places, [f"{int(stop):,}" for stop in STOPS])
        axes.set_xlabel("characters typed")
        axes.spines[["top", "right"]].set_visible(False)
        axes.yaxis.grid(visible=True, alpha=0.3)
    panels[0].set_ylabel("bits per character, held-out text")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=3, frameon=False)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
