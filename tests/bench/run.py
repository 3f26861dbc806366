"""Count what the kernels cost on the emulated boards, beside the last figures that were kept.

python -m bench.run [--boards pico m4f rv32] [--only W1 ...] [--json FILE] [--keep]
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.calls import Image, Outcome, build_module, expected_crc, make_image, run_calls
from bench.shapes import Shape, shapes
from tinytrain.kernels.library import library

BASELINE = Path(__file__).parent / "baseline.json"
BOARDS = ("pico", "m4f", "rv32", "esp32")

Counts = dict[str, int]


class WrongResult(Exception):
    """A board computed something else than this machine."""


def kernels_of(chosen: Sequence[Shape]) -> list[str]:
    return sorted({s.call.kernel for s in chosen})


def check(shape: Shape, image: Image, outcome: Outcome, board: str) -> None:
    if outcome.crc != expected_crc(library(), shape.call, image):
        raise WrongResult(f"{shape.name} on {board}: not the bits of the portable kernels")


def count(board: str, chosen: Sequence[Shape]) -> Counts:
    """Cycles (pico) or instructions (QEMU) of each shape, the call alone."""
    kernels = kernels_of(chosen)
    images = [make_image(library(), kernels.index(s.call.kernel), s.call) for s in chosen]
    with tempfile.TemporaryDirectory() as name:
        module = Path(name) / "tinykernels.mpy"
        build_module(board, kernels, 16, module)
        if board == "pico":  # counts each call by itself
            outcomes, _ = run_calls(board, module, images)
            for shape, image, outcome in zip(chosen, images, outcomes, strict=True):
                check(shape, image, outcome, board)
            return {s.name: o.cycles for s, o in zip(chosen, outcomes, strict=True)}

        def one(pair: tuple[Shape, Image]) -> int:
            shape, image = pair
            outcomes, counts = run_calls(board, module, [image])
            check(shape, image, outcomes[0], board)
            return counts["native_insns"]

        _, empty = run_calls(board, module, images[:1], really=False)
        with ThreadPoolExecutor(max_workers=2) as pool:
            found = list(pool.map(one, zip(chosen, images, strict=True)))
    return {s.name: n - empty["native_insns"] for s, n in zip(chosen, found, strict=True)}


def table(board: str, chosen: Sequence[Shape], counts: Counts, before: Counts) -> Table:
    unit = "cycles" if board == "pico" else "instructions"
    result = Table(title=f"{board}: {unit}", title_justify="left")
    result.add_column("shape")
    result.add_column("what")
    for heading in (unit, "per", "", "before", "change"):
        result.add_column(heading, justify="right")
    for s in chosen:
        n, old = counts[s.name], before.get(s.name)
        change = f"{100 * (n - old) / old:+.1f} %" if old else ""
        kept = f"{old / s.units:.2f}" if old else ""
        result.add_row(s.name, s.what, f"{n:,}", f"{n / s.units:.2f}", s.unit, kept, change)
    return result


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--boards", nargs="+", default=BOARDS)
    parser.add_argument("--only", nargs="+", help="shapes whose names begin so")
    parser.add_argument("--json", type=Path, help="write the counts there")
    parser.add_argument("--keep", action="store_true", help="the new figures become the baseline")
    args = parser.parse_args(argv)
    kept: dict[str, Counts] = json.loads(BASELINE.read_text()) if BASELINE.exists() else {}
    chosen = [s for s in shapes() if not args.only or s.name.startswith(tuple(args.only))]
    found: dict[str, Counts] = {}
    for board in args.boards:
        found[board] = count(board, chosen)
        Console(width=110).print(table(board, chosen, found[board], kept.get(board, {})))
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + "\n")
    if args.keep:
        for board, counts in found.items():
            kept[board] = kept.get(board, {}) | counts
        BASELINE.write_text(json.dumps(kept, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
