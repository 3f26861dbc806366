"""tinytrain: quantized models that learn on microcontrollers, simulated bit for bit on the host."""

from __future__ import annotations

from pathlib import Path

from tinytrain.errors import TinyTrainError
from tinytrain.ir.optimizer import PLAIN, Optimizer
from tinytrain.sim.trainer import Trainer

__version__ = "0.1.0"
__all__ = ["Optimizer", "TinyTrainError", "Trainer", "simulate"]


def simulate(
    model: str | Path, update: str = "all", *, lr: float = 0.01, optimizer: Optimizer = PLAIN
) -> Trainer:
    """A Trainer for a model file that runs the generated C on this machine.

    update: "all", "none", "last:N", "bias:N" or a .toml file (see tinytrain.passes.update).
    optimizer: the build's options, such as Optimizer(momentum=True, batch=True).
    """
    from tinytrain.compilation import compile_model

    trainer = Trainer(compile_model(model, update, optimizer))
    trainer.lr = lr
    return trainer
