"""`tinytrain sim`: fine-tune and evaluate on this machine."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tinytrain.commands.terminal import Commands, bar, console, positive

if TYPE_CHECKING:
    from tinytrain.sim.trainer import Trainer


EPILOG = """FILE.npz holds arrays with samples first: x_train, y_train, x_test, y_test, or x and y
for both. x is float (quantized as the board's input must be) or int8, in the model's shape or flat.
y is labels (softmax), 0 or 1 for each class (sigmoid), or targets (mse; without y, x itself).

What is simulated is the build: --momentum, --weight-decay and --batch need one that reserves them.

  tinytrain build model.tflite --board rpi_pico --momentum --batch -o build
  tinytrain sim build --data digits.npz --epochs 3 --lr 0.02
  tinytrain sim build --data digits.npz --lr 0.05 --momentum 0.9 --batch 8"""


def add(commands: Commands[argparse.ArgumentParser]) -> None:
    """Add the command."""
    add = commands.add_parser(
        "sim",
        help="fine-tune and evaluate on this machine, bit for bit",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add.add_argument("folder", type=Path, metavar="DIR", help="what `tinytrain build -o` wrote")
    add.add_argument("--data", type=Path, required=True, metavar="FILE.npz",
                     help="what to learn and to test on, see below")  # fmt: skip
    add.add_argument("--epochs", type=positive, default=1, metavar="N",
                     help="how often x_train is learned, in its order; default: 1")  # fmt: skip
    add.add_argument("--lr", type=float, default=0.01, help="learning rate, default: 0.01")
    add.add_argument("--momentum", type=float, metavar="M",
                     help="such as 0.9: share of the last movement that is kept")  # fmt: skip
    add.add_argument("--weight-decay", type=float, metavar="D",
                     help="such as 1e-4: D times each weight is added to its gradient")  # fmt: skip
    add.add_argument("--batch", type=positive, metavar="N",
                     help="update with the mean gradient of N samples, as accumulate() and apply() "
                     "do; default: an update after each sample")  # fmt: skip
    add.set_defaults(run=_sim)


def _sim(arguments: argparse.Namespace) -> None:
    from tinytrain.build import open_build
    from tinytrain.samples import load_data
    from tinytrain.sim.trainer import Trainer

    trainer = Trainer(open_build(arguments.folder))
    data = load_data(arguments.data, trainer)
    for factor in ("lr", "momentum", "weight_decay"):
        if (value := getattr(arguments, factor)) is not None:
            setattr(trainer, factor, value)
    if arguments.batch:
        trainer.apply()  # refused before anything is learned if the build has no batches
    console.print(repr(trainer), markup=False, soft_wrap=True)
    with bar("evaluating") as progress:
        task = progress.task_ids[0]
        before = _quality(trainer, data["x_test"], data["y_test"])
        console.print(f"{before} before, {len(data['y_test'])} samples")
        for epoch in range(1, arguments.epochs + 1):
            progress.reset(task, total=len(data["y_train"]), description=f"epoch {epoch}")
            samples = zip(data["x_train"], data["y_train"], strict=True)
            losses = []
            for loss in _epoch(trainer, samples, arguments.batch):
                losses.append(loss)
                progress.advance(task)
            after = _quality(trainer, data["x_test"], data["y_test"])
            console.print(f"epoch {epoch}: mean loss {np.mean(losses):.4f}, {after}")


def _epoch(
    trainer: Trainer, samples: Iterable[tuple[npt.NDArray[np.int8], Any]], batch: int | None
) -> Iterator[float]:
    """Learn every sample once; yields its loss. The last batch may be smaller."""
    learn = trainer.accumulate if batch else trainer.step
    for i, (x, y) in enumerate(samples, 1):
        yield learn(x, y if y.ndim else int(y))
        if batch and i % batch == 0:
            trainer.apply()
    if batch:
        trainer.apply()


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
