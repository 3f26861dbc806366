"""tinytrain: quantized models that learn on microcontrollers, simulated bit for bit on the host."""

from __future__ import annotations

from pathlib import Path

from tinytrain.errors import TinyTrainError
from tinytrain.sim.trainer import Trainer

__version__ = "0.1.0"
__all__ = ["TinyTrainError", "Trainer", "simulate"]


def simulate(
    model: str | Path, update: str = "all", *, gradients: str = "int16", lr: float = 0.01
) -> Trainer:
    """A Trainer for a model file that runs the generated C on this machine.

    update: "all", "none", "last:N", "bias:N" or a .toml file (see tinytrain.passes.update).
    gradients: "int16" or "int8", the type of their mantissas.
    """
    from tinytrain.compilation import compile_model

    trainer = Trainer(compile_model(model, update, gradients=gradients))
    trainer.lr = lr
    return trainer
