"""Count everything: shapes and whole models on all boards, plain C, waits for flash, the builder.

python -m bench [PART ...] [--boards pico m4f] [--only W1 kws] [--json FILE] [--keep]

--keep: the figures are what later ones are compared with (baseline.json), and those in
docs/PERFORMANCE.md.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from bench import builder, models, run, whole
from bench.baseline import COUNTS, Figures, keep, merged
from bench.publish import publish
from tinytrain.backend.kernel_sources import PLAIN

PARTS = ("shapes", "models", "plain", "flash", "builder")
ALL = tuple(whole.BOARDS)


def measure(part: str, boards: Sequence[str], only: Sequence[str]) -> Figures:
    chosen = [s for s in whole.subjects() if not only or s.name in only]
    kernels = [b for b in boards if b in run.BOARDS]
    match part:
        case "shapes":
            return run.measure(kernels, only)
        case "models":
            return models.measure(boards, chosen, (models.by_layer, models.by_kernel))
        case "plain":
            found = run.measure(kernels, only, plain=True)
            return merged(found, models.measure(boards, chosen, (), kernels=PLAIN))
        case "flash" if "pico" in boards:
            return models.measure(["pico"], chosen, (), xip=models.FLASH_MISS)
        case "builder" if not only:
            return builder.measure()
    return {}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make bench", description="Count everything.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}")
    parser.add_argument("--boards", nargs="+", choices=ALL, default=ALL)
    parser.add_argument("--only", nargs="+", default=(), help="beginnings of shapes; models")
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--keep", action="store_true", help="keep the figures, here and in docs/")
    args = parser.parse_args(argv)
    if unknown := set(args.parts) - set(PARTS):
        parser.error(f"no part {', '.join(sorted(unknown))}")
    found = Figures()
    for part in args.parts or PARTS:
        found = merged(found, measure(part, args.boards, args.only))
        if args.keep:
            keep(COUNTS, found)
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + "\n")
    if args.keep:
        publish()
    return 0


if __name__ == "__main__":
    sys.exit(main())
