"""Measures what the camera learns; writes the tables of docs/CAMERA.md, camera.svg and camera.json.

make camera                               # needs ../shared/models for the rows of MCUNet
make camera ARGS='--seeds 10 --output other'
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from models import SETUPS, available  # noqa: E402
from plot import plot  # noqa: E402
from results import TABLES, run, to_json  # noqa: E402
from rich.console import Console  # noqa: E402

DOCS = HERE.parents[1] / "docs"
PAGE = "CAMERA.md"
BEGIN, END = "<!-- {}: written by make camera -->", "<!-- end of {} -->"
console = Console(highlight=False, soft_wrap=True)


def main() -> None:
    """Run, print, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5, help="how many (default: %(default)s)")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=DOCS, help="folder (default: docs)")
    chosen = parser.parse_args()
    began = time.monotonic()
    for setup in SETUPS:
        if setup not in available():
            console.print(f"without {setup.name}: {setup.model} is not there")
    seeds = range(chosen.first_seed, chosen.first_seed + chosen.seeds)
    with console.status("beginning") as status:
        values = json.loads(to_json(run(seeds, status.update)))
    page = (DOCS / PAGE).read_text(encoding="utf-8")
    for name, table in TABLES.items():
        console.print(f"\n{table(values)}", markup=False)
        begin, end = BEGIN.format(name), END.format(name)
        before, after = page.split(begin)[0], page.split(end)[1]
        page = f"{before}{begin}\n{table(values)}\n{end}{after}"
    chosen.output.mkdir(parents=True, exist_ok=True)
    (chosen.output / PAGE).write_text(page, encoding="utf-8")
    (chosen.output / "camera.json").write_text(to_json(values), encoding="utf-8")
    plot(values, chosen.output / "camera.svg")
    console.print(f"\nwritten to {chosen.output}; {time.monotonic() - began:.0f} s in all")


if __name__ == "__main__":
    main()
