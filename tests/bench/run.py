"""Count what the kernels cost on the emulated boards, beside what the last commit has.

python -m bench.run [--boards pico m4f rv32] [--only W1 ...] [--plain] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.baseline import COUNTS, Figures, change, committed
from bench.calls import (
    Outcome,
    WrongResult,
    build_module,
    expected_crc,
    make_image,
    run_calls,
)
from bench.published import best, target
from bench.shapes import Shape, shapes
from tinytrain.kernels.library import library
from tinytrain.kernels.memory import gradient_bits

BOARDS = ("pico", "m4f", "rv32", "esp32")
CYCLES = ("pico", "m4f")  # elsewhere instructions

Counts = dict[str, int]


def unit(board: str) -> str:
    return "cycles" if board in CYCLES else "instructions"


def count(board: str, chosen: Sequence[Shape], *, plain: bool = False) -> Counts:
    """Cycles or instructions of each shape, the call alone. plain: of the portable C at -O2."""
    found: Counts = {}
    for bits in sorted({s.bits for s in chosen}, reverse=True):
        some = [s for s in chosen if s.bits == bits]
        outcomes = _outcomes(board, some, bits, plain)
        found |= {s.name: o.cycles or o.insns for s, o in zip(some, outcomes, strict=True)}
    return found


def _outcomes(board: str, some: Sequence[Shape], bits: int, plain: bool) -> list[Outcome]:
    kernels = sorted({s.call.kernel for s in some})
    with gradient_bits(bits), tempfile.TemporaryDirectory() as name:
        compiled = library((), bits)
        images = [make_image(compiled, kernels.index(s.call.kernel), s.call) for s in some]
        expected = [expected_crc(compiled, s.call, i) for s, i in zip(some, images, strict=True)]
        module = Path(name) / "tinykernels.mpy"
        build_module(board, kernels, bits, module, plain=plain)
        outcomes = run_calls(board, module, images)
    for shape, outcome, crc in zip(some, outcomes, expected, strict=True):
        if outcome.crc != crc:
            raise WrongResult(f"{shape.name} on {board}: not the bits of the portable kernels")
    return outcomes


def table(board: str, chosen: Sequence[Shape], counts: Counts, before: Counts) -> Table:
    result = Table(title=f"{board}: {unit(board)}", title_justify="left")
    result.add_column("shape")
    for heading in (unit(board), "per", "", "target", "", "best of others"):
        result.add_column(heading, justify="right")
    for heading in ("last commit", "change"):
        result.add_column(heading, justify="right")
    for s in chosen:
        n, old = counts[s.name], before.get(s.name)
        limit, other = target(board, s.name), best(board, s.name)
        result.add_row(
            s.name,
            f"{n:,}",
            f"{n / s.units:,.2f}",
            s.unit,
            f"{limit:,.2f}" if limit else "",
            ("met" if n <= limit * s.units else f"{n / s.units / limit:.2f} x") if limit else "",
            f"{other[1]:,.2f} {other[0]}" if other else "",
            f"{old / s.units:,.2f}" if old else "",
            change(n, old),
        )
    return result


def measure(boards: Sequence[str], only: Sequence[str] = (), *, plain: bool = False) -> Figures:
    """Count, print, and give what is kept."""
    section = "shapes, plain" if plain else "shapes"
    chosen = [s for s in shapes() if not only or s.name.startswith(tuple(only))]
    if not chosen:
        return {}
    before, found = committed(COUNTS).get(section, {}), Figures()
    for board in boards:
        found[board] = count(board, chosen, plain=plain)
        Console(width=120).print(table(board, chosen, found[board], before.get(board, {})))
    return {section: found}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--boards", nargs="+", default=BOARDS)
    parser.add_argument("--only", nargs="+", default=(), help="shapes whose names begin so")
    parser.add_argument("--plain", action="store_true", help="the portable C at -O2 instead")
    parser.add_argument("--json", type=Path, help="write the counts there")
    args = parser.parse_args(argv)
    found = measure(args.boards, args.only, plain=args.plain)
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
