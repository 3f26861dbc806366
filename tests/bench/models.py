"""Count whole models on the boards: predictions and training steps, by kernels or by layers.

python -m bench.models [--boards pico m4f] [--only kws] [--layers] [--xip] [--json FILE]
python -m bench.models MODEL.tflite UPDATE [--boards m4f] [--backward]

The second counts a model of your own, on the emulated Pico if no board is named.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.baseline import COUNTS, Figures, change, committed
from bench.published import WHOLE, WHOLE_TARGETS
from bench.run import unit
from bench.whole import BOARDS, KERNELS, Cost, DoesNotFit, Row, Subject, count, subjects

FORWARD = ("_s8", "_s32")
FLASH_MISS = 60
"""Cycles to fetch 8 bytes of the Pico's flash, an estimate: 28 clocks (8 for the address, 4 of
waiting, 16 for the data) at half the processor's, and something around them."""

Sums = dict[str, tuple[int, int, int]]
"""Name -> calls, multiply-accumulates, cost."""


def is_forward(row: Row) -> bool:
    return row.kernel.removesuffix("__partial").endswith(FORWARD)


def by_kernel(row: Row) -> str:
    return row.kernel.removeprefix("tt_")


def by_layer(row: Row) -> str:
    return row.layer if is_forward(row) else f"{row.layer}, backward"


def sums(rows: Sequence[Row], key: Callable[[Row], str]) -> Sums:
    found: Sums = {}
    for row in rows:
        calls, macs, cost = found.get(key(row), (0, 0, 0))
        found[key(row)] = (calls + 1, macs + row.macs, cost + row.cost)
    return found


def backward(step: Cost) -> int:
    """Of a step, all that is not the forward pass's kernels."""
    return step.total - sum(row.cost for row in step.rows if is_forward(row))


def totals(predict: Cost, step: Cost) -> Figures:
    return {"predict": predict.total, "step": step.total, "backward": backward(step)}


def parts(step: Cost) -> Figures:
    """What kernels and layers cost in a step."""
    return {
        "kernels": {name: cost for name, (_, _, cost) in sums(step.rows, by_kernel).items()},
        "layers": {name: cost for name, (_, _, cost) in sums(step.rows, by_layer).items()},
    }


def work(predict: Cost, step: Cost) -> Figures:
    """Multiply-accumulates, the same on all boards."""
    return {
        "predict": predict.macs,
        "step": step.macs,
        "kernels": {name: macs for name, (_, macs, _) in sums(step.rows, by_kernel).items()},
    }


def summary(board: str, found: Figures, macs: Figures, before: Figures) -> Table:
    """Predictions and steps, beside what others publish and what the last commit has."""
    result = Table(title=f"{board}: {unit(board)}", title_justify="left")
    result.add_column("model")
    for heading in (unit(board), "per MAC", "target", "MIT", "last commit", "change"):
        result.add_column(heading, justify="right")
    for name, model in found.items():
        for part in ("predict", "step", "backward"):
            n, old, work_of = model[part], before.get(name, {}).get(part), macs[name].get(part)
            limit, other = (t.get((board, name, part)) for t in (WHOLE_TARGETS, WHOLE))
            result.add_row(
                f"{name}, {part}",
                f"{n:,}",
                f"{n / work_of:.2f}" if work_of else "",
                f"{limit:.0f} M: {'met' if n <= limit * 1e6 else 'missed'}" if limit else "",
                f"{other:,.1f} M" if other else "",
                f"{old:,}" if old else "",
                change(n, old),
            )
    return result


def shares(title: str, by_board: Mapping[str, Cost], key: Callable[[Row], str]) -> Table:
    """A step's cost by kernels or layers, on all boards; of many boards the costs are left out."""
    result = Table(title=title, title_justify="left")
    result.add_column("kernel" if key is by_kernel else "layer")
    for heading in ("calls", "MACs"):
        result.add_column(heading, justify="right")
    few = len(by_board) <= 2
    for board in by_board:
        headings = (unit(board), "per MAC", "share") if few else ("per MAC", "share")
        for i, heading in enumerate(headings):
            result.add_column(heading if i else f"{board}: {heading}", justify="right")

    def cells(n: int, macs: int, total: int) -> list[str]:
        cost = [f"{n:,}"] if few else []
        return [*cost, f"{n / macs:.2f}" if macs else "", f"{n / total:.1%}"]

    found = {board: sums(cost.rows, key) for board, cost in by_board.items()}
    for name, (calls, macs, _) in next(iter(found.values())).items():
        row = [t for b, c in by_board.items() for t in cells(found[b][name][2], macs, c.total)]
        result.add_row(name, str(calls), f"{macs:,}" if macs else "", *row)
    rest = {b: c.total - sum(row.cost for row in c.rows) for b, c in by_board.items()}
    if min(rest.values()) >= 0:
        row = [t for b, n in rest.items() for t in cells(n, 0, by_board[b].total)]
        result.add_row("calls, binding", "", "", *row)
    return result


def without_forward(cost: Cost) -> Cost:
    return Cost(backward(cost), 0, [row for row in cost.rows if not is_forward(row)])


def measure(
    boards: Sequence[str],
    chosen: Sequence[Subject],
    keys: Sequence[Callable[[Row], str]] = (by_kernel,),
    *,
    kernels: str = "speed",
    xip: int | None = None,
    only_backward: bool = False,
) -> Figures:
    """Count, print, and give what is kept."""
    section = "models" + ("" if kernels == "speed" else f", {kernels}") + (", flash" if xip else "")
    before, found, macs = committed(COUNTS).get(section, {}), Figures(), Figures()
    for subject in chosen:
        steps = {}
        for board in boards:
            try:
                predict, step = count(subject.compiled(), board, kernels, xip)
            except DoesNotFit as error:
                Console().print(f"{subject.name}: {error}", markup=False)
                continue
            steps[board] = without_forward(step) if only_backward else step
            macs[subject.name] = work(predict, step)
            one = totals(predict, step) | (parts(step) if section == "models" else {})
            found.setdefault(board, {})[subject.name] = one
        what = "backward pass" if only_backward else "step"
        for key in keys if steps else ():
            title = f"{subject.name}, {Path(subject.update).stem}: {what}"
            Console(width=140).print(shares(title, steps, key))
    for board, models in found.items():
        Console(width=120).print(summary(board, models, macs, before.get(board, {})))
    return {section: found, "MACs": macs} if found else {}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Count whole models, by kernels or layers.")
    parser.add_argument("model", type=Path, nargs="?", help="count this one")
    parser.add_argument("update", nargs="?", default="all")
    parser.add_argument("--boards", nargs="+", choices=BOARDS)
    parser.add_argument("--only", nargs="+", default=(), help="names of models")
    parser.add_argument("--kernels", choices=KERNELS, default="speed")
    parser.add_argument("--layers", action="store_true", help="by layers, not by kernels")
    parser.add_argument("--backward", action="store_true", help="shares without the forward pass")
    parser.add_argument("--xip", type=int, nargs="?", const=FLASH_MISS,
                        help="pico: cycles of a miss in the cache of its flash")  # fmt: skip
    parser.add_argument("--json", type=Path, help="write the figures there")
    args = parser.parse_args(argv)
    if args.model:
        chosen = [Subject(args.model.stem, args.model, args.update)]
    else:
        chosen = [s for s in subjects() if not args.only or s.name in args.only]
    boards = args.boards or (["pico"] if args.model or args.xip else list(BOARDS))
    keys = [by_layer if args.layers else by_kernel]
    found = measure(
        boards, chosen, keys, kernels=args.kernels, xip=args.xip, only_backward=args.backward
    )
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
