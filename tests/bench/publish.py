"""The figures that are kept, as tables, behind the markers in docs/PERFORMANCE.md.

A marker is a line `<!-- table: NAME -->`; the table ends at the next empty line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.baseline import COUNTS, SIZES, Figures, kept
from bench.published import PUBLISHED, WHOLE, WHOLE_TARGETS, size_target, target
from bench.run import BOARDS
from bench.shapes import Shape, shapes
from bench.whole import BOARDS as WHOLE_BOARDS

PAGE = Path(__file__).parents[2] / "docs" / "PERFORMANCE.md"
NAMES = {"pico": "Pico", "m4f": "M4F", "m7sp": "M7", "rv32": "RV32", "esp32": "ESP32"}
MISSING = "–"

Row = Sequence[str]


def markdown(headings: Row, rows: Sequence[Row]) -> str:
    """The first column is text, the others are numbers."""
    lines = [headings, ["---", *["---:"] * (len(headings) - 1)], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def number(value: float | None) -> str:
    if value is None:
        return MISSING
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}" if value < 10 else f"{value:.1f}"


def verdict(cost: float | None, limit: float | None) -> str:
    """A target, bold where it is missed."""
    if limit is None or cost is None:
        return ""
    return number(limit) if cost <= limit else f"**{number(limit)}**"


# ---- shapes --------------------------------------------------------------------------------------


def shape_table(board: str, figures: Figures) -> str:
    """Per unit: plain C, ours with gradients of 16 and of 8 bits, the target, others."""
    ours, plain = (figures.get(k, {}).get(board, {}) for k in ("shapes", "shapes, plain"))

    def each(of: Mapping[str, int], shape: Shape, suffix: str = "") -> float | None:
        cost = of.get(shape.name + suffix)
        return cost / shape.units if cost else None

    rows = []
    for s in (s for s in shapes() if s.bits == 16):
        others = PUBLISHED.get(board, {}).get(s.name, {})
        rows.append([
            f"{s.name} {s.what}" + ("" if s.unit == "MAC" else f", a {s.unit}"),
            number(each(plain, s)),
            f"**{number(each(ours, s))}**",
            number(each(ours, s, " int8")) if f"{s.name} int8" in ours else "",
            verdict(each(ours, s), target(board, s.name)),
            ", ".join(f"{who} {number(cost)}" for who, cost in others.items()),
        ])  # fmt: skip
    return markdown(["shape", "plain C", "ours", "int8 gradients", "target", "others"], rows)


# ---- whole models --------------------------------------------------------------------------------


def millions(cost: int | None, macs: int | None = None) -> str:
    if cost is None:
        return MISSING
    return f"{cost / 1e6:,.1f}" + (f" ({cost / macs:.2f})" if macs else "")


def model_table(figures: Figures) -> str:
    rows = []
    for model, macs in figures["MACs"].items():
        for board in WHOLE_BOARDS:
            if (ours := figures["models"].get(board, {}).get(model)) is None:
                continue
            plain = figures.get("models, plain", {}).get(board, {}).get(model, {})
            row = [f"{model}, {NAMES[board]}"]
            for part in ("predict", "step", "backward"):
                row.append(millions(plain.get(part), macs.get(part)))
                row.append(f"**{millions(ours[part], macs.get(part))}**")
            for known in (WHOLE_TARGETS, WHOLE):
                found = {p: known.get((board, model, p)) for p in ("predict", "step", "backward")}
                row.append(", ".join(f"{p} {n:,.0f}" for p, n in found.items() if n))
            rows.append(row)
    parts = [h for p in ("predict", "step", "backward") for h in (f"{p}, plain C", p)]
    return markdown(["model", *parts, "target", "MIT"], rows)


def flash_table(figures: Figures) -> str:
    waiting, without = figures.get("models, flash", {}).get("pico", {}), figures["models"]["pico"]
    rows = [
        [model, *(
            text
            for part in ("predict", "step", "backward")
            for text in (
                millions(without[model][part]),
                f"{millions(n[part])} ({100 * (n[part] / without[model][part] - 1):+.0f} %)",
            )
        )]
        for model, n in waiting.items()
    ]  # fmt: skip
    parts = [h for p in ("predict", "step", "backward") for h in (p, "with waits")]
    return markdown(["model", *parts], rows)


def share_table(model: str, kind: str, figures: Figures) -> str:
    """kind: kernels (with their cost per multiply-accumulate) or layers."""
    boards = {b: m[model] for b, m in figures["models"].items() if model in m}
    macs = figures["MACs"][model].get(kind, {})
    names = list(dict.fromkeys(name for found in boards.values() for name in found[kind]))
    rows = []
    for name in names:
        cells = []
        for found in boards.values():
            cost = found[kind].get(name, 0)
            each = f" ({cost / macs[name]:.1f})" if macs.get(name) else ""
            cells.append(f"{100 * cost / found['step']:.1f} %{each}")
        rows.append([f"`{name}`" if kind == "kernels" else name, *cells])
    return markdown([kind[:-1], *(NAMES[b] for b in boards)], rows)


# ---- modules and the builder ---------------------------------------------------------------------


def size_table(sizes: Figures) -> str:
    parts = ("kernels", "generated", "binding", "text", "module", "stack")
    rows = [
        [f"{name}, {arch}", *(f"{size[part]:,}" for part in parts), size_goal(name, arch, size)]
        for name, found in sizes.items()
        for arch, size in found.items()
    ]
    return markdown(["module", *parts, "target"], rows)


def size_goal(name: str, arch: str, size: Mapping[str, int]) -> str:
    if (limit := size_target(name, arch)) is None:
        return ""
    part, most = limit
    return f"{part} {most:,}" if size[part] <= most else f"**{part} {most:,}**"


def builder_table(figures: Figures) -> str:
    rows = [[model, *map(str, times)] for model, times in figures.get("builder", {}).items()]
    return markdown(["model", "first build", "again"], rows)


# ---- the page ------------------------------------------------------------------------------------


def tables() -> dict[str, str]:
    """By the names of their markers."""
    figures = kept(COUNTS)
    shares = {
        f"{kind} {model}": share_table(model, kind, figures)
        for model in figures["MACs"]
        for kind in ("kernels", "layers")
    }
    return {
        **{f"shapes {board}": shape_table(board, figures) for board in BOARDS},
        "models": model_table(figures),
        "flash": flash_table(figures),
        **shares,
        "sizes": size_table(kept(SIZES)),
        "builder": builder_table(figures),
    }


def with_tables(page: str) -> str:
    """The page with the figures that are kept."""
    made = tables()

    def replaced(marker: re.Match[str]) -> str:
        return f"{marker[1]}\n{made[marker[2]]}\n"

    return re.sub(r"^(<!-- table: (.+) -->)\n(?:.+\n)*\n", replaced, page, flags=re.MULTILINE)


def publish() -> None:
    PAGE.write_text(with_tables(PAGE.read_text()))


if __name__ == "__main__":
    publish()
