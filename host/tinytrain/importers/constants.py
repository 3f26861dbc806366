"""Folds the little ops that compute a shape at run time: it is known, as the model's input is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Options = Mapping[str, int | float | bool]

# Shapes have a few elements; a longer value is data, and data are not folded.
_LONGEST: Final = 64


def fold(code: str, inputs: Sequence[Ints], options: Options) -> Ints:
    """The value of an op of `FOLDABLE` on constant inputs.

    Raises ValueError or IndexError, which say why, if it has none.
    """
    if not inputs or sum(values.size for values in inputs) > _LONGEST:
        raise ValueError("it does not compute a shape")
    return np.asarray(FOLDABLE[code](inputs, options), np.int64)


def _strided_slice(inputs: Sequence[Ints], options: Options) -> Ints:
    if len(inputs) != 4:
        raise ValueError(f"it has {len(inputs)} inputs, expected 4")
    values, begins, ends, strides = inputs
    if options.get("EllipsisMask") or options.get("NewAxisMask"):
        raise ValueError("ellipsis and new axis masks are not supported")
    if not begins.shape == ends.shape == strides.shape or begins.ndim != 1:
        raise ValueError("begin, end and strides differ in length")
    index: list[int | slice] = []
    for axis, (begin, end, stride) in enumerate(zip(begins, ends, strides, strict=True)):
        if _bit(options, "ShrinkAxisMask", axis):
            index.append(int(begin))
            continue
        start = None if _bit(options, "BeginMask", axis) else int(begin)
        stop = None if _bit(options, "EndMask", axis) else int(end)
        index.append(slice(start, stop, int(stride)))
    return np.asarray(values[tuple(index)], np.int64)


def _bit(options: Options, mask: str, axis: int) -> bool:
    return bool(int(options.get(mask, 0)) >> axis & 1)


def _pack(inputs: Sequence[Ints], options: Options) -> Ints:
    return np.stack(inputs, axis=int(options.get("Axis", 0)))


def _concatenation(inputs: Sequence[Ints], options: Options) -> Ints:
    return np.concatenate(inputs, axis=int(options.get("Axis", 0)))


# Ops that vanish when all their inputs are constant.
FOLDABLE: Final[Mapping[str, Callable[[Sequence[Ints], Options], Ints]]] = {
    "STRIDED_SLICE": _strided_slice,
    "PACK": _pack,
    "CONCATENATION": _concatenation,
}
