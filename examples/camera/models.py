"""The models that the camera is tried with."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tinytrain.compilation import Compiled, Options, compile_model

HERE = Path(__file__).resolve().parent
SHARED = Path(os.environ.get("TINYTRAIN_SHARED", HERE.parents[2] / "shared"))
SMALL = HERE.parent / "accuracy" / "clothes8.tflite"
MCUNET = SHARED / "models" / "mcunet_5fps_128_c2.tflite"
BOARD, CLASSES = "rpi_pico_romfs", 6  # the firmware of the test bed


@dataclass(frozen=True, slots=True)
class Setup:
    """A model, what of it is trained, and the learning rate."""

    name: str
    model: Path
    update: str
    rate: float

    @property
    def options(self) -> Options:
        """Of the build: a fresh head with spare classes."""
        return Options(classes=CLASSES)

    def compiled(self) -> Compiled:
        """Compiled once."""
        return _compiled(self)


@cache
def _compiled(setup: Setup) -> Compiled:
    return compile_model(setup.model, setup.update, setup.options)


HEAD = Setup("small, head", SMALL, "last:1", 0.03)
LAST = Setup("small, last 5 layers", SMALL, "last:5", 0.01)
EVERYTHING = Setup("small, all layers", SMALL, "all", 0.003)
LARGE = Setup("MCUNet, head", MCUNET, "last:1", 0.01)
SETUPS = (HEAD, LAST, EVERYTHING, LARGE)


def available() -> list[Setup]:
    """Those whose model is there."""
    return [setup for setup in SETUPS if setup.model.exists()]
