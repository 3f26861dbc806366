"""`tinytrain inspect` and `tinytrain build`: from a model file to a build folder."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from tinytrain.commands.terminal import Commands, bar, console, names, percent, positive, size
from tinytrain.ir.optimizer import MASTERS, Optimizer

UPDATE_HELP = """what is trained on the board:
  all       every weight and bias
  last:N    weights and biases of the last N layers that have weights
  bias:N    the biases of the last N layers
  none      nothing: the module only predicts
  FILE.toml biases, layers and fractions of input channels, one by one (docs/DESIGN.md)"""

LOSS_HELP = """what a step minimizes; default: softmax
  softmax   cross-entropy of one label among all classes
  sigmoid   binary cross-entropy of every class by itself (several labels at once), their mean
  mse       mean squared error of all outputs; autoencoders learn towards their input"""


def add(commands: Commands[argparse.ArgumentParser]) -> None:
    """Add both commands."""
    add = commands.add_parser("inspect", help="show what a model consists of")
    add.add_argument("model", type=Path, metavar="MODEL", help="full-int8 .tflite file")
    add.set_defaults(run=_inspect)
    _add_build(commands)


def _add_build(commands: Commands[argparse.ArgumentParser]) -> None:
    add = commands.add_parser(
        "build",
        help="compile a model into a native module for a board",
        formatter_class=argparse.RawTextHelpFormatter,
    )
    add.add_argument("model", type=Path, metavar="MODEL", help="full-int8 .tflite file")
    add.add_argument("--board", required=True, help="such as rpi_pico or unix, or a .toml file")
    add.add_argument("--update", default="all", help=UPDATE_HELP)
    add.add_argument("--loss", choices=("softmax", "sigmoid", "mse"), default="softmax",
                     help=LOSS_HELP)  # fmt: skip
    add.add_argument("--classes", type=positive, metavar="N",
                     help="replace the last layer by a fresh one with N outputs")  # fmt: skip
    add.add_argument("--freeze", type=names, default=(), metavar="NAME[,NAME...]",
                     help="layers that are never trained, by name or op:N")  # fmt: skip
    add.add_argument("--gradients", choices=["int16", "int8"], default="int16",
                     help="int8: less RAM, coarser gradients; default: int16")  # fmt: skip
    add.add_argument("--patches", type=percent, default=10, metavar="PERCENT",
                     help="most MACs added by computing layers tile by tile to save RAM; 0: none;\n"
                     "default: 10")  # fmt: skip
    add.add_argument("--momentum", action="store_true",
                     help="reserve velocities, so that trainer.momentum can be set")  # fmt: skip
    add.add_argument("--weight-decay", action="store_true",
                     help="so that trainer.weight_decay can be set (costs code only)")  # fmt: skip
    add.add_argument("--batch", action="store_true",
                     help="reserve sums of gradients, for accumulate() and apply()")  # fmt: skip
    add.add_argument("--master", type=int, choices=MASTERS, default=16,
                     help="bits of a trained weight, 8 for the integer; default: 16")  # fmt: skip
    add.add_argument("--round", choices=("stochastic", "nearest"), default="stochastic",
                     help="rounding of trained weights; default: stochastic")  # fmt: skip
    add.add_argument("--ram", type=size, metavar="SIZE",
                     help="refuse if arena and state take more, such as 96K")  # fmt: skip
    add.add_argument("--user-c-module", action="store_true",
                     help="write usermod/ too, sources to build a firmware with")  # fmt: skip
    add.add_argument("-o", dest="folder", type=Path, default=Path("build"), metavar="DIR",
                     help="where to write; default: build")  # fmt: skip
    add.set_defaults(run=_build)


def _inspect(arguments: argparse.Namespace) -> None:
    from tinytrain.importers import load
    from tinytrain.inspection import render

    table = render(load(arguments.model))
    (console if console.is_terminal else Console(width=160)).print(table)


def _build(arguments: argparse.Namespace) -> None:
    from tinytrain.build import build
    from tinytrain.compilation import Options

    with bar("reading and planning") as progress:
        task = progress.task_ids[0]

        def show(what: str, done: int, total: int) -> None:
            progress.update(task, description=what, completed=done, total=total)

        result = build(
            arguments.model,
            arguments.board,
            arguments.update,
            arguments.folder,
            Options(
                arguments.loss,
                arguments.classes,
                arguments.freeze,
                arguments.gradients,
                Optimizer(
                    arguments.momentum,
                    arguments.weight_decay,
                    arguments.batch,
                    arguments.master,
                    arguments.round,
                ),
                arguments.patches,
            ),
            ram=arguments.ram,
            user_c_module=arguments.user_c_module,
            progress=show,
        )
    console.print(result.report.text(), end="", markup=False)
    names = ", ".join(sorted(p.name for p in result.folder.iterdir() if p.is_file()))
    console.print(f"\nWritten to {arguments.folder}: {names}", markup=False, soft_wrap=True)
    for name in result.kept:
        console.print(f"Kept {name}, which has been edited; delete it to get the new one")
