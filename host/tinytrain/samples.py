"""Labelled examples in an .npz file, as a model takes them."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt
from numpy.lib.npyio import NpzFile

from tinytrain.errors import DataError
from tinytrain.ir.loss import Loss
from tinytrain.sim.trainer import Trainer

Samples = npt.NDArray[Any]


def load_data(path: Path, trainer: Trainer) -> Mapping[str, Samples]:
    """x_train, y_train, x_test, y_test of an .npz file, x as the model's int8 input.

    `x` and `y` serve for both if the file has only those. float inputs are quantized, uint8 ones
    shifted by 128 where the model takes uint8; indices are whole numbers. y is what the loss learns
    towards: labels (softmax), 0 or 1 for each class (sigmoid), real values or int8 for each output
    (mse; x itself without y).
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            if not isinstance(file, NpzFile):
                raise ValueError("it is a single array")
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, TypeError, EOFError, BadZipFile, zlib.error) as error:
        raise DataError(f"{path}: cannot be read as .npz: {error}") from error
    if not {"x", "x_train"} & arrays.keys():
        raise DataError(
            f"{path}: no array x_train (or x); it has {', '.join(sorted(arrays)) or 'no arrays'}"
        )
    for part in ("train", "test"):
        arrays.setdefault(f"x_{part}", arrays.get("x", arrays.get("x_train", np.zeros(0))))
        if (y := arrays.get("y", arrays.get("y_train"))) is not None:
            arrays.setdefault(f"y_{part}", y)
    found: dict[str, Samples] = {}
    for part in ("train", "test"):
        x = _model_input(path, arrays[f"x_{part}"], trainer)
        y = _wanted(trainer, arrays.get(f"y_{part}"), x)
        if len(x) != len(y) or not len(y) or not _fits(trainer, y):
            raise DataError(
                f"{path}: expected arrays x_train, y_train, x_test, y_test (or x, y), samples "
                f"first, {WANTED[trainer.loss]}; y_{part} is {y.dtype} {y.shape} for {len(x)} "
                "samples"
            )
        softmax = trainer.loss == Loss.SOFTMAX.value
        if softmax and not 0 <= y.min() <= y.max() < trainer.classes:
            raise DataError(
                f"{path}: y_{part} has labels {y.min()} .. {y.max()}, expected "
                f"0 .. {trainer.classes - 1}"
            )
        found |= {f"x_{part}": x, f"y_{part}": y}
    return found


WANTED = {
    "softmax": "labels as whole numbers",
    "sigmoid": "labels as 0 or 1 for each class",
    "mse": "targets as real values or int8 for each output",
    "none": "labels as whole numbers",
}


def _wanted(trainer: Trainer, y: Samples | None, x: Samples) -> Samples:
    """What is to be learned from x, as the loss takes it."""
    if trainer.loss != "mse":
        return np.zeros(0) if y is None else y
    if y is None and trainer.indices:
        raise DataError("mse needs targets y: the model's input is indices")
    if y is None:
        port = trainer.compiled.graph.input.tensor
        quant = trainer.compiled.graph.tensors[port].quant
        y = (x.astype(np.float32) - quant.zero_point) * np.float32(quant.per_tensor)
    return trainer.quantize_target(y) if np.issubdtype(y.dtype, np.floating) else y


def _fits(trainer: Trainer, y: Samples) -> bool:
    per_sample = y.size // len(y)
    if trainer.loss == "mse":
        return y.dtype == np.int8 and per_sample == np.prod(trainer.output_shape)
    whole = y.dtype == bool or np.issubdtype(y.dtype, np.integer)
    if trainer.loss == "sigmoid":
        return bool(whole and per_sample == trainer.classes and y.min() >= 0 and y.max() <= 1)
    return bool(whole and y.ndim == 1)


def _long(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape without axes of 1, which do not change the order of the elements."""
    return tuple(n for n in shape if n != 1)


def _model_input(path: Path, x: Samples, trainer: Trainer) -> Samples:
    port = trainer.compiled.graph.input
    shape, size = trainer.input_shape[1:], int(np.prod(trainer.input_shape))
    if x.ndim == 0 or (_long(x.shape[1:]) != _long(shape) and x.shape[1:] != (size,)):
        raise DataError(
            f"{path}: samples of shape {x.shape[1:]}, the model takes {shape}, channels last; "
            "transpose them (x.transpose(0, 2, 3, 1) for channels first)"
        )
    if rows := trainer.indices:
        whole = np.issubdtype(x.dtype, np.integer)
        if not whole or not 0 <= x.min(initial=0) <= x.max(initial=0) < rows:
            raise DataError(f"{path}: samples must be indices 0 .. {rows - 1} as whole numbers")
        return x.reshape(len(x), size).astype(np.int32)
    if np.issubdtype(x.dtype, np.floating):
        x = trainer.quantize(x)
    elif x.dtype == np.uint8 and port.model_dtype == "uint8":
        x = (x.astype(np.int16) - 128).astype(np.int8)
    if x.dtype != np.int8:
        raise DataError(f"{path}: samples must be int8 or float, not {x.dtype}")
    return x.reshape(len(x), size)
