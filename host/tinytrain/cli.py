"""The command `tinytrain`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from tinytrain.errors import TinyTrainError
from tinytrain.ir.optimizer import MASTERS, Optimizer

if TYPE_CHECKING:
    from tinytrain.sim.trainer import Trainer

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

console = Console(highlight=False)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status: 0, or 2 after an error that was explained."""
    arguments = _parser().parse_args(argv)
    try:
        arguments.run(arguments)
    except TinyTrainError as error:
        print(f"tinytrain: {error}", file=sys.stderr)
        return 2
    except OSError as error:  # a folder that cannot be written, a full disk
        print(f"tinytrain: {error.filename or ''}: {error.strerror or error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("tinytrain: interrupted", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tinytrain",
        description="Quantized models that learn on MicroPython boards.",
        epilog="Start with: tinytrain inspect MODEL, then tinytrain build MODEL --board rpi_pico",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add = commands.add_parser("inspect", help="show what a model consists of")
    add.add_argument("model", type=Path, metavar="MODEL", help="full-int8 .tflite file")
    add.set_defaults(run=_inspect)
    _add_build(commands)
    add = commands.add_parser("sim", help="fine-tune and evaluate on this machine, bit for bit")
    add.add_argument("folder", type=Path, metavar="DIR", help="what `tinytrain build -o` wrote")
    add.add_argument("--data", type=Path, required=True, metavar="FILE.npz",
                     help="arrays x_train, y_train, x_test, y_test (or x, y)")  # fmt: skip
    add.add_argument("--epochs", type=_positive, default=1, metavar="N", help="default: 1")
    add.add_argument("--lr", type=float, default=0.01, help="learning rate, default: 0.01")
    add.set_defaults(run=_sim)
    add = commands.add_parser("deploy", help="copy a build to a board and verify it there")
    add.add_argument("folder", type=Path, metavar="DIR", help="what `tinytrain build -o` wrote")
    add.add_argument("--port", default="auto", help="as for mpremote connect; default: auto")
    add.add_argument("--main", action="store_true", help="copy main.py too")
    add.set_defaults(run=_deploy)
    return parser


def _add_build(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
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
    add.add_argument("--classes", type=_positive, metavar="N",
                     help="replace the last layer by a fresh one with N outputs")  # fmt: skip
    add.add_argument("--freeze", type=_names, default=(), metavar="NAME[,NAME...]",
                     help="layers that are never trained, by name or op:N")  # fmt: skip
    add.add_argument("--gradients", choices=["int16", "int8"], default="int16",
                     help="int8: less RAM, coarser gradients; default: int16")  # fmt: skip
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
    add.add_argument("--ram", type=_bytes, metavar="SIZE",
                     help="refuse if arena and state take more, such as 96K")  # fmt: skip
    add.add_argument("-o", dest="folder", type=Path, default=Path("build"), metavar="DIR",
                     help="where to write; default: build")  # fmt: skip
    add.set_defaults(run=_build)


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("expected 1 or more")
    return value


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in text.split(",") if name)


def _bytes(text: str) -> int:
    number, factor = text.upper(), 1
    for suffix, size in (("K", 1024), ("M", 1024**2)):
        if number.endswith(suffix):
            number, factor = number.removesuffix(suffix), size
    try:
        value = int(float(number) * factor)
        if value < 0:
            raise ValueError
        return value
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"{text!r} is no size; examples: 98304, 96K") from None


@contextmanager
def _bar(total_unknown: str) -> Iterator[Progress]:
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        progress.add_task(total_unknown, total=None)
        yield progress


def _inspect(arguments: argparse.Namespace) -> None:
    from tinytrain.importers import load
    from tinytrain.inspection import render

    table = render(load(arguments.model))
    (console if console.is_terminal else Console(width=160)).print(table)


def _build(arguments: argparse.Namespace) -> None:
    from tinytrain.build import build
    from tinytrain.compilation import Options

    with _bar("reading and planning") as progress:
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
            ),
            ram=arguments.ram,
            progress=show,
        )
    console.print(result.report.text(), end="", markup=False)
    names = ", ".join(sorted(p.name for p in result.folder.iterdir() if p.is_file()))
    console.print(f"\nWritten to {arguments.folder}: {names}", markup=False, soft_wrap=True)
    for name in result.kept:
        console.print(f"Kept {name}, which has been edited; delete it to get the new one")


def _sim(arguments: argparse.Namespace) -> None:
    from tinytrain.build import load_data, open_build
    from tinytrain.sim.trainer import Trainer

    trainer = Trainer(open_build(arguments.folder))
    data = load_data(arguments.data, trainer)
    trainer.lr = arguments.lr
    console.print(repr(trainer), markup=False, soft_wrap=True)
    with _bar("evaluating") as progress:
        task = progress.task_ids[0]
        before = _quality(trainer, data["x_test"], data["y_test"])
        console.print(f"{before} before, {len(data['y_test'])} samples")
        for epoch in range(1, arguments.epochs + 1):
            total = 0.0
            progress.reset(task, total=len(data["y_train"]), description=f"epoch {epoch}")
            for x, y in zip(data["x_train"], data["y_train"], strict=True):
                total += trainer.step(x, y if y.ndim else int(y))
                progress.advance(task)
            mean = total / len(data["y_train"])
            after = _quality(trainer, data["x_test"], data["y_test"])
            console.print(f"epoch {epoch}: mean loss {mean:.4f}, {after}")


def _quality(trainer: Trainer, x: npt.NDArray[np.int8], y: npt.NDArray[Any]) -> str:
    """How well the int8 outputs are what was wanted: accuracy, or the error of a regression."""
    if trainer.loss in ("softmax", "none"):
        right = sum(trainer.classify(sample) == label for sample, label in zip(x, y, strict=True))
        return f"accuracy {float(right) / len(y):.1%}"
    outputs = np.stack([trainer.predict(sample).reshape(-1) for sample in x])
    wanted = y.reshape(outputs.shape)
    if trainer.loss == "sigmoid":
        right = float(np.mean((outputs > trainer.output_zero_point) == (wanted > 0)))
        return f"accuracy {right:.1%} of all labels"
    error = trainer.dequantize(outputs) - trainer.dequantize(wanted)
    return f"mean squared error {float(np.mean(error**2)):.4g}"


def _deploy(arguments: argparse.Namespace) -> None:
    from tinytrain.backend.deploy import deploy

    deploy(
        arguments.folder,
        arguments.port,
        with_main=arguments.main,
        say=lambda text: console.print(text, markup=False, soft_wrap=True),
    )


if __name__ == "__main__":
    sys.exit(main())
