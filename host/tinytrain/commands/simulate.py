"""`tinytrain sim`: fine-tune and evaluate on this machine."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tinytrain.commands.terminal import Commands, bar, console, positive

if TYPE_CHECKING:
    from tinytrain.sim.trainer import Trainer


def add(commands: Commands[argparse.ArgumentParser]) -> None:
    """Add the command."""
    add = commands.add_parser("sim", help="fine-tune and evaluate on this machine, bit for bit")
    add.add_argument("folder", type=Path, metavar="DIR", help="what `tinytrain build -o` wrote")
    add.add_argument("--data", type=Path, required=True, metavar="FILE.npz",
                     help="arrays x_train, y_train, x_test, y_test (or x, y)")  # fmt: skip
    add.add_argument("--epochs", type=positive, default=1, metavar="N", help="default: 1")
    add.add_argument("--lr", type=float, default=0.01, help="learning rate, default: 0.01")
    add.set_defaults(run=_sim)


def _sim(arguments: argparse.Namespace) -> None:
    from tinytrain.build import load_data, open_build
    from tinytrain.sim.trainer import Trainer

    trainer = Trainer(open_build(arguments.folder))
    data = load_data(arguments.data, trainer)
    trainer.lr = arguments.lr
    console.print(repr(trainer), markup=False, soft_wrap=True)
    with bar("evaluating") as progress:
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
