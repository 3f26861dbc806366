"""Trainers on compiled C, built once for all tests of a run (and then found in the cache)."""

from __future__ import annotations

from functools import cache

import tinytrain
from support.nets import Model
from support.zoo import ZOO
from tinytrain.compilation import Compiled


@cache
def compiled(kind: str, seed: int, update: str) -> tuple[Model, Compiled]:
    model = ZOO[kind](seed)
    return model, model.compiled(update)


def trainer(kind: str, seed: int = 0, update: str = "all") -> tinytrain.Trainer:
    """A fresh Trainer of a model from the zoo."""
    return tinytrain.Trainer(compiled(kind, seed, update)[1])
