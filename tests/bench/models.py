"""Count whole models: predictions and training steps, or a step kernel by kernel.

python -m bench.models [--boards pico m4f] [--only kws] [--optimize size] [--json FILE]
python -m bench.models MODEL.tflite UPDATE [--backward]

The first counts modules as deployed (whole.py). In the second the step is taken on this machine;
each of its kernel calls, with the memory it found, then runs on the board. What calls the kernels
(generated code, the binding) is not in its figures.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from bench.calls import Call, build_module, expected_crc, make_image, run_calls
from bench.whole import BOARDS, print_all
from tinytrain.compilation import Compiled, compile_model
from tinytrain.kernels.library import library
from tinytrain.sim.interpreter import Interpreter, tiled

FORWARD = ("_s8", "_s32", "copy", "block")


@dataclass
class Recorder:
    """Runs kernels, and keeps what they were called with."""

    calls: list[Call] = field(default_factory=list)

    def call(self, name: str, *args: object) -> int | None:
        """Run a kernel of the library."""
        self.calls.append(Call(name, [a.copy() if isinstance(a, np.ndarray) else a for a in args]))
        result: int | None = library().call(name, *args)
        return result


def record(compiled: Compiled) -> tuple[list[Call], list[int]]:
    """The calls of the first step on a fixed input, and their multiply-accumulates."""
    recorder = Recorder()
    machine = Interpreter(compiled.program, compiled.arena, recorder)
    n = compiled.program.input.nbytes
    x = (np.arange(n) * 37 % 251 - 125).astype(np.int8)
    machine.step(x, 1, 0.01)
    return recorder.calls, [call.macs for call, _ in tiled(compiled.program.step)]


def count(board: str, calls: Sequence[Call]) -> list[int]:
    """Cycles (pico) of each call; what it computes is checked."""
    kernels = sorted({c.kernel for c in calls})
    images = [make_image(library(), kernels.index(c.kernel), c) for c in calls]
    with tempfile.TemporaryDirectory() as name:
        module = Path(name) / "tinykernels.mpy"
        build_module(board, kernels, 16, module)
        outcomes, _ = run_calls(board, module, images, timeout=3000)
    for call, image, outcome in zip(calls, images, outcomes, strict=True):
        if outcome.crc != expected_crc(library(), call, image):
            raise RuntimeError(f"{call.kernel} on {board}: not the bits of the portable kernels")
    return [o.cycles for o in outcomes]


def is_forward(kernel: str) -> bool:
    return kernel.removesuffix("__partial").endswith(FORWARD)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Count whole models, or a step by kernels.")
    parser.add_argument("model", type=Path, nargs="?", help="count a step of it by kernels")
    parser.add_argument("update", nargs="?", default="all")
    parser.add_argument("--boards", nargs="+", choices=BOARDS, default=tuple(BOARDS))
    parser.add_argument("--only", nargs="+", default=(), help="names of models")
    parser.add_argument("--optimize", choices=("speed", "size"), default="speed")
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--board", default="pico", choices=["pico"])
    parser.add_argument("--backward", action="store_true", help="without the forward pass")
    args = parser.parse_args(argv)
    if args.model is None:
        print_all(args.boards, args.only, args.optimize, args.json)
        return 0
    compiled = compile_model(args.model, args.update)
    calls, macs = record(compiled)
    chosen = [i for i, c in enumerate(calls) if not (args.backward and is_forward(c.kernel))]
    cycles = count(args.board, [calls[i] for i in chosen])
    rows: dict[str, list[Any]] = {}
    for i, n in zip(chosen, cycles, strict=True):
        row = rows.setdefault(calls[i].kernel, [0, 0, 0])
        row[:] = [row[0] + 1, row[1] + macs[i], row[2] + n]
    table = Table(title=f"{args.model.stem}, {args.update}, {args.board}", title_justify="left")
    for heading in ("kernel", "calls", "MACs", "cycles", "per MAC"):
        table.add_column(heading, justify="left" if heading == "kernel" else "right")
    for kernel, (n, work, cost) in sorted(rows.items(), key=lambda item: -item[1][2]):
        each = f"{cost / work:.2f}" if work else ""
        table.add_row(kernel, str(n), f"{work:,}", f"{cost:,}", each)
    for what, wanted in (("forward", True), ("backward and update", False)):
        total = sum(r[2] for k, r in rows.items() if is_forward(k) == wanted)
        table.add_row(what, "", "", f"{total:,}", "")
    Console(width=100).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
