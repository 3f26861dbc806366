"""tinytrain: quantized models that learn on microcontrollers, simulated bit for bit on the host."""

from __future__ import annotations

from pathlib import Path

from tinytrain.errors import TinyTrainError
from tinytrain.sim.trainer import Trainer

__version__ = "0.1.0"
__all__ = ["TinyTrainError", "Trainer", "simulate"]


def simulate(model: str | Path, update: str = "all", *, lr: float = 0.01) -> Trainer:
    """A Trainer for a model file that runs the generated C on this machine.

    update: "all", "none", "last:N", "bias:N" or a .toml file (see tinytrain.passes.update).
    """
    from tinytrain.compilation import compile_model

    for value, kinds in ((model, (str, Path)), (update, (str,))):
        if not isinstance(value, kinds):
            raise TinyTrainError(f"expected a path and the name of a scheme, not {value!r}")
    trainer = Trainer(compile_model(model, update))
    trainer.lr = lr
    return trainer
