"""report.html: the report as one page without scripts, fonts or anything from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from html import escape

from tinytrain.ir.program import Program
from tinytrain.plan.arena import Arena
from tinytrain.plan.explain import residents
from tinytrain.plan.picture import COLOURS, memory_picture
from tinytrain.plan.report import Report

STYLE = """
body { font: 15px/1.45 sans-serif; margin: 2em auto; max-width: 1240px; padding: 0 1em;
       color: #222; background: #fff; }
h1 { font-size: 1.5em } h2 { font-size: 1.15em; margin-top: 2em }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
td, th { padding: 2px 12px 2px 0; border-bottom: 1px solid #e5e5e5; text-align: left }
td.n, th.n { text-align: right }
pre { background: #f6f6f6; padding: 1em; overflow-x: auto; font-size: 13px; line-height: 1.4 }
.bad { color: #cb181d; font-weight: bold } .key { padding: 0 6px; margin-right: 12px }
"""

LAYERS = {
    "layer": "layer",
    "kernel": "kernel",
    "macs_forward": "MACs forward",
    "macs_backward": "MACs backward",
    "cycles_forward": "cycles forward",
    "cycles_backward": "cycles backward",
    "constant_bytes": "constants, bytes",
    "state_bytes": "trained, bytes",
}


def page(report: Report, program: Program, arena: Arena) -> str:
    """The page."""
    v = report.values
    title = escape(f"{v['model']} on {v['board']}")
    keys = "".join(
        f'<span class="key" style="background:{colour}">{what}</span>'
        for what, colour in COLOURS.items()
    )
    layers = v["layers"]
    assert isinstance(layers, Sequence) and not isinstance(layers, str)
    parts = [
        "<!DOCTYPE html>",
        f'<html lang="en"><head><meta charset="utf-8"><title>{title}</title>',
        '<link rel="icon" href="data:,">',
        f"<style>{STYLE}</style></head><body>",
        f"<h1>{title}</h1>",
        f"<pre>{escape(report.text())}</pre>",
        "<h2>Memory over time</h2>",
        "<p>A bar is a buffer, over the calls that it lives, at its offset in bytes.</p>",
        f"<p>{keys}</p>",
        memory_picture(program, arena),
        "<h2>In memory at the peak</h2>",
        _table(
            ("bytes", "offset", "what", "tensor", "written by", "waits for"),
            (
                (r.nbytes, r.offset, r.what, r.name, r.of, r.next_use)
                for r in (residents(program, arena, arena.peak_tick) if program.predict else ())
            ),
        ),
        "<h2>Layers</h2>",
        "<p>Cycles are estimates; 0 where the kernels have not been measured on this target.</p>",
        _table(tuple(LAYERS.values()), (tuple(row[k] for k in LAYERS) for row in layers)),
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


def _table(heads: Sequence[str], rows: Iterable[Sequence[int | str]]) -> str:
    """Numbers stand right, with thousands apart."""
    found = list(rows)
    numeric = [bool(found) and isinstance(found[0][i], int) for i in range(len(heads))]
    lines = ["<table><tr>" + "".join(map(partial(_cell, "th"), heads, numeric)) + "</tr>"]
    lines += ["<tr>" + "".join(map(partial(_cell, "td"), row, numeric)) + "</tr>" for row in found]
    return "\n".join([*lines, "</table>"])


def _cell(tag: str, value: int | str, numeric: bool) -> str:
    text = f"{value:,}" if isinstance(value, int) else escape(value)
    return f"<{tag}{' class=n' if numeric else ''}>{text}</{tag}>"
