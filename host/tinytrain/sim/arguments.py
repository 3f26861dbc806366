"""Arguments of a Trainer's methods: checked, and quantized."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from tinytrain.codegen.pixels import pixels_of
from tinytrain.errors import DataError
from tinytrain.ir.graph import Graph

LONGEST: Final = 1 << 22  # microseconds of a slice
NO_LATENT: Final = (
    "there is no latent: no frozen layers come before the first trained one (train fewer layers: "
    "--update last:N)"
)


def factor(name: str, value: float, below: float = float("inf")) -> np.float32:
    """A float32 of at least 0 and below some limit, or DataError."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.floating):
        raise DataError(f"{name} must be a number, not {type(value).__name__}")
    with np.errstate(over="ignore"):
        single = np.float32(value)
    if not 0 <= float(single) < below:
        what = "finite" if below == float("inf") else f"below {below:g}"
        raise DataError(f"{name} must be {what} and not negative, not {value}")
    return np.float32(abs(single))  # no -0.0


def check_out(out: object, size: int) -> None:
    """DataError unless `out` is a writable int8 array of that many elements."""
    expected = f"out must be a writable int8 array of {size} elements"
    if not isinstance(out, np.ndarray):
        raise DataError(f"{expected}, not {type(out).__name__}")
    if out.dtype != np.int8 or out.size != size:
        raise DataError(f"{expected}, not {out.dtype} {out.shape}")
    if not out.flags.writeable:
        raise DataError(f"{expected}; this one is read-only")


def checked_input(
    x: npt.ArrayLike, shape: tuple[int, ...], indices: int
) -> npt.NDArray[np.int8] | npt.NDArray[np.int32]:
    """An input of a shape, its batch of 1 included or not, or flat; flat, or DataError.

    indices: 0 for an int8 input; else it is integers below that, or the bytes of int32.
    """
    size = math.prod(shape)
    if indices and isinstance(x, bytes | bytearray | memoryview):
        x = np.frombuffer(x, np.int32 if len(x) == 4 * size else np.uint8)
    array = np.asarray(x)
    if indices and not np.issubdtype(array.dtype, np.integer):
        raise DataError(f"the input must be whole numbers 0 .. {indices - 1}, not {array.dtype}")
    if not indices and array.dtype != np.int8:
        raise DataError(
            f"the input must be int8, not {array.dtype}; real values go through quantize()"
        )
    if array.size != size or array.shape not in (shape, shape[1:], (size,)):
        raise DataError(f"the input must have shape {shape}, not {array.shape}")
    if indices and not 0 <= array.min() <= array.max() < indices:
        raise DataError(f"the input has {array.min()} .. {array.max()}, not 0 .. {indices - 1}")
    flat: npt.NDArray[np.int8] | npt.NDArray[np.int32] = array.reshape(-1)
    return flat.astype(np.int32) if indices else flat


def checked_latent(x: npt.ArrayLike, size: int) -> npt.NDArray[np.int8]:
    """A latent as encode() returns it, or DataError."""
    array = np.asarray(x)
    if array.dtype != np.int8 or array.shape != (size,):
        raise DataError(f"a latent is {size} int8, not {array.dtype} {array.shape}")
    return array


def checked_budget(budget_us: object) -> int:
    """Microseconds of a slice, or DataError."""
    if isinstance(budget_us, bool) or not isinstance(budget_us, int | np.integer):
        raise DataError(f"budget_us must be a whole number, not {type(budget_us).__name__}")
    if budget_us < 0:
        raise DataError(f"budget_us must be at least 0, not {budget_us}")
    return min(int(budget_us), LONGEST)


def quantized(graph: Graph, x: npt.ArrayLike) -> npt.NDArray[np.int8]:
    """The int8 input of a model for real values, or for the pixels of an array of uint8."""
    if graph.indices:
        raise DataError("quantize: the input is indices")
    array, quant = np.asarray(x), graph.tensors[graph.input.tensor].quant
    if array.dtype != np.uint8:
        return quantize_real(array, quant.per_tensor, quant.zero_point)
    pixels = pixels_of(graph)
    return quantize_pixels(array, pixels.multiplier, pixels.zero)


def quantize_real(x: npt.ArrayLike, scale: float, zero: int) -> npt.NDArray[np.int8]:
    """round(x / scale) + zero, saturated; the quotient is a float32, its halves go away from 0."""
    values = np.asarray(x, np.float32)
    if np.isnan(values).any():
        raise DataError("the input has NaN, which no int8 stands for")
    with np.errstate(over="ignore"):
        q = (values / np.float32(scale)).astype(np.float64)
    rounded = np.trunc(q + np.copysign(0.5, q))
    saturated: npt.NDArray[np.int8] = np.clip(rounded + zero, -128, 127).astype(np.int8)
    return saturated


def quantize_pixels(x: npt.NDArray[np.uint8], multiplier: int, zero: int) -> npt.NDArray[np.int8]:
    """floor(pixel * multiplier / 2^16 + 1/2) + zero, saturated."""
    wide = (x.astype(np.int64) * multiplier + (1 << 15) >> 16) + zero
    saturated: npt.NDArray[np.int8] = np.clip(wide, -128, 127).astype(np.int8)
    return saturated
