"""Writes the results down: accuracy.json, accuracy.svg, and the tables inside ACCURACY.md."""

from __future__ import annotations

import json
from pathlib import Path

from accuracy.plot import plot
from accuracy.report import Report, accuracy_table, difference_table, forgetting_table

PAGE = "ACCURACY.md"
BEGIN, END = "<!-- {}: written by make accuracy -->", "<!-- end of {} -->"
TABLES = {
    "accuracy": accuracy_table,
    "difference": difference_table,
    "forgetting": forgetting_table,
}


def publish(report: Report, page: str, folder: Path) -> None:
    """All three files; `page` is the text around the tables."""
    for name, table in TABLES.items():
        begin, end = BEGIN.format(name), END.format(name)
        before, after = page.split(begin)[0], page.split(end)[1]
        page = f"{before}{begin}\n{table(report)}\n{end}{after}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / PAGE).write_text(page, encoding="utf-8")
    (folder / "accuracy.json").write_text(_json(report), encoding="utf-8")
    plot(report, folder / "accuracy.svg")


def _json(report: Report) -> str:
    """Percent by task, variant, test and seed; a test's seeds on one line."""
    values = {"seeds": list(report.seeds), "percent": report.scores}
    first, *others = json.dumps(values, indent=1, ensure_ascii=False).split("[")
    lists = [part.split("]", 1) for part in others]
    return first + "".join(f"[{' '.join(a.split())}]{b}" for a, b in lists) + "\n"
