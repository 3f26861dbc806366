"""The arena over time as an SVG: each buffer a bar over the calls it lives, at its offset."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

from tinytrain.ir.program import Program
from tinytrain.plan.arena import Arena
from tinytrain.plan.explain import calls, kind, place_of

COLOURS = {
    "activation": "#6baed6",
    "gradient": "#fd8d3c",
    "clip mask": "#74c476",
    "scratch": "#bdbdbd",
}
WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 1180, 420, 80, 34, 30
LETTER = 6.2  # width of one, about
LOOK = 'width="100%" role="img" font-family="sans-serif" font-size="11"'
STEPS = (1, 2, 5)  # of the scale, times a power of ten


@dataclass(frozen=True, slots=True)
class _Scale:
    """From ticks and bytes to places in the picture."""

    ticks: int
    nbytes: int

    def x(self, tick: float) -> float:
        return LEFT + (WIDTH - LEFT - 10) * tick / max(1, self.ticks)

    def y(self, offset: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * offset / max(1, self.nbytes)


def memory_picture(program: Program, arena: Arena) -> str:
    """A self-contained <svg> element."""
    scale = _Scale(len(calls(program)), arena.nbytes)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" {LOOK}>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        *_grid(scale),
        *_bars(program, arena, scale),
        *_phases(program, scale),
        *_peak(program, arena, scale),
        "</svg>",
    ]
    return "\n".join(lines)


def _grid(scale: _Scale) -> Iterator[str]:
    step = next(
        s * 10**power
        for power in range(12)
        for s in STEPS
        if s * 10**power * 8 >= max(1, scale.nbytes)
    )
    for n in range(0, scale.nbytes + 1, step):
        y = scale.y(n)
        yield f'<line x1="{LEFT}" x2="{WIDTH - 10}" y1="{y:.1f}" y2="{y:.1f}" stroke="#eee"/>'
        yield f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{n:,}</text>'


def _bars(program: Program, arena: Arena, scale: _Scale) -> Iterator[str]:
    timeline = calls(program)
    parts = sorted(
        ((p, span) for s in arena.storages for p in s.parts for span in p.live),
        key=lambda pair: (-pair[0].nbytes, pair[0].buffer.name, pair[1]),
    )
    for part, (start, end) in parts:
        offset, what = arena.offsets[part.buffer.name], kind(part.buffer)
        x, y = scale.x(start), scale.y(offset + part.nbytes)
        width, height = scale.x(end + 1) - x, scale.y(offset) - y
        name = part.buffer.name.removeprefix("step#")
        title = (
            f"{name}: {what}, {part.nbytes:,} bytes at {offset:,}, "
            f"from {timeline[start].node} to {timeline[end].node}"
        )
        yield (
            f'<rect class="bar" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" '
            f'fill="{COLOURS[what]}" fill-opacity="0.75" stroke="white" stroke-width="0.5">'
            f"<title>{escape(title)}</title></rect>"
        )
        if height >= 12 and width >= LETTER * len(name) + 6:
            yield (
                f'<text x="{x + 4:.1f}" y="{y + height / 2 + 4:.1f}" pointer-events="none">'
                f"{escape(name)}</text>"
            )


def _phases(program: Program, scale: _Scale) -> Iterator[str]:
    first, bottom = len(program.predict), HEIGHT - BOTTOM
    for name, start, end in (("predict", 0, first), ("step", first, scale.ticks)):
        if start < end:
            middle = (scale.x(start) + scale.x(end)) / 2
            yield (
                f'<text x="{middle:.1f}" y="{HEIGHT - 8}" text-anchor="middle">'
                f"{name}: {end - start} calls</text>"
            )
            x = scale.x(start)
            yield f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{bottom}" stroke="#888"/>'


def _peak(program: Program, arena: Arena, scale: _Scale) -> Iterator[str]:
    if not scale.ticks:
        return
    left, right = scale.x(arena.peak_tick), scale.x(arena.peak_tick + 1)
    middle = (left + right) / 2
    anchor = "start" if middle < WIDTH / 3 else "end" if middle > 2 * WIDTH / 3 else "middle"
    text = f"peak {arena.lower_bound:,} bytes: {place_of(program, arena.peak_tick)}"
    yield (
        f'<rect id="peak" x="{left:.1f}" y="{TOP}" width="{right - left:.1f}" '
        f'height="{HEIGHT - TOP - BOTTOM}" fill="none" stroke="#cb181d" stroke-width="1.5"/>'
    )
    yield (
        f'<text x="{middle:.1f}" y="{TOP - 8}" text-anchor="{anchor}" fill="#cb181d" '
        f'font-weight="bold">{escape(text)}</text>'
    )
