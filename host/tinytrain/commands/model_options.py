"""The options that decide what a model's program is: shared by `build` and `plan`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from tinytrain.commands.terminal import names, percent, positive
from tinytrain.ir.optimizer import MASTERS, Optimizer

if TYPE_CHECKING:
    from tinytrain.compilation import Options

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


def add_options(add: argparse.ArgumentParser) -> None:
    """Add the options."""
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
    add.add_argument("--optimize", choices=("speed", "size"), default="speed",
                     help="size: a smaller module, but kernels that take 2 to 4 times as "
                     "long")  # fmt: skip
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


def options_of(arguments: argparse.Namespace) -> Options:
    """All of them but --update."""
    from tinytrain.compilation import Options

    return Options(
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
        arguments.optimize,
    )
