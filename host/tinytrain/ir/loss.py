"""The losses a model can be trained with."""

from __future__ import annotations

from enum import Enum

from tinytrain.errors import UpdateError


class Loss(Enum):
    """What a step minimizes; the values are what users write.

    softmax: cross-entropy of one label among all classes. sigmoid: binary cross-entropy of every
    class by itself, the mean over classes. mse: mean squared error of all outputs.
    """

    SOFTMAX = "softmax"
    SIGMOID = "sigmoid"
    MSE = "mse"


def parse_loss(text: str) -> Loss:
    """A loss by its name."""
    try:
        return Loss(text)
    except ValueError:
        known = ", ".join(loss.value for loss in Loss)
        raise UpdateError(f"unknown loss {text!r}: expected one of {known}") from None
