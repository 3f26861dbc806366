"""What a training run is set to: learning rate, momentum and weight decay, each a float32."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

from tinytrain.compilation import Compiled
from tinytrain.errors import DataError
from tinytrain.ir.optimizer import Optimizer
from tinytrain.sim.arguments import factor


class Factors:
    """The factors of a Trainer, checked when they are set."""

    def __init__(self, compiled: Compiled, module: ModuleType) -> None:
        """module: the model's compiled C."""
        self.compiled = compiled
        self._module: ModuleType | None = module
        self._lr = np.float32(0.01)
        self._momentum = self._weight_decay = np.float32(0)

    @property
    def lr(self) -> float:
        """The learning rate; finite and not negative, kept as float32."""
        self._open()
        return float(self._lr)

    @lr.setter
    def lr(self, value: float) -> None:
        self._open()
        self._lr = factor("lr", value)

    @property
    def momentum(self) -> float:
        """v = momentum * v + lr * gradient; w -= v. At least 0, below 1; 0 at first, float32."""
        self._open()
        return float(self._momentum)

    @momentum.setter
    def momentum(self, value: float) -> None:
        self._need("momentum", self._optimizer.momentum, "--momentum")
        self._momentum = factor("momentum", value, 1.0)

    @property
    def weight_decay(self) -> float:
        """Added to each trained weight's gradient: weight_decay * w. Biases do not decay."""
        self._open()
        return float(self._weight_decay)

    @weight_decay.setter
    def weight_decay(self, value: float) -> None:
        self._need("weight_decay", self._optimizer.decays, "--weight-decay")
        self._weight_decay = factor("weight_decay", value)

    @property
    def _optimizer(self) -> Optimizer:
        return self.compiled.program.optimizer

    def _need(self, what: str, there: bool, option: str) -> None:
        self._open()
        if not there or self.compiled.program.loss is None:
            raise DataError(f"{what}: not in this build; build with {option}")

    def _rate(self) -> Any:
        module = self._open()
        rate = module.ffi.new("tt_rate *")
        module.lib.tt_rate_set(rate, int(self._lr.view(np.uint32)))
        module.lib.tt_momentum_set(rate, int(self._momentum.view(np.uint32)))
        module.lib.tt_decay_set(rate, int(self._weight_decay.view(np.uint32)))
        return rate

    def _open(self) -> ModuleType:
        if self._module is None:
            raise DataError("the Trainer is closed")
        return self._module
