"""tinytrain: quantized models that learn on microcontrollers, simulated bit for bit on the host."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tinytrain.errors import TinyTrainError
from tinytrain.ir.optimizer import PLAIN, Optimizer
from tinytrain.sim.trainer import Trainer

__version__ = "0.1.0"
__all__ = ["Optimizer", "TinyTrainError", "Trainer", "simulate"]


def simulate(
    model: str | Path,
    update: str = "all",
    *,
    lr: float = 0.01,
    loss: str = "softmax",
    classes: int | None = None,
    freeze: Sequence[str] = (),
    gradients: str = "int16",
    optimizer: Optimizer = PLAIN,
) -> Trainer:
    """A Trainer for a model file that runs the generated C on this machine.

    update: "all", "none", "last:N", "bias:N" or a .toml file (see tinytrain.passes.update).
    loss: "softmax", "sigmoid" (several labels at once) or "mse". classes: outputs of a fresh head
    in place of the last layer. freeze: layers that are not trained, by name or "op:N".
    gradients: "int16" or "int8", the type of their mantissas.
    optimizer: such as Optimizer(momentum=True, batch=True).
    """
    from tinytrain.compilation import Options, compile_model

    for value, kinds in ((model, (str, Path)), (update, (str,))):
        if not isinstance(value, kinds):
            raise TinyTrainError(f"expected a path and the name of a scheme, not {value!r}")
    options = Options(loss, classes, tuple(freeze), gradients, optimizer)
    trainer = Trainer(compile_model(model, update, options))
    trainer.lr = lr
    return trainer
