"""Windows over a feature map, all at once: an axis for each of output pixel and kernel tap."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tinytrain.kernels.reference.arithmetic import Array, Ints, Params, ints


class Coordinates(NamedTuple):
    """Input row and column of each [out_h,out_w,kernel_h,kernel_w], and whether it exists."""

    rows: Ints
    columns: Ints
    inside: NDArray[np.bool_]


def coordinates(w: Params) -> Coordinates:
    """Where each tap of each window lies; outside the map, row and column are 0."""
    shape = (w["out_h"], w["out_w"], w["kernel_h"], w["kernel_w"])
    out_y, out_x, tap_y, tap_x = np.indices(shape, np.int64)
    rows = out_y * w["stride_h"] - w["pad_top"] + tap_y
    columns = out_x * w["stride_w"] - w["pad_left"] + tap_x
    inside = (rows >= 0) & (rows < w["in_h"]) & (columns >= 0) & (columns < w["in_w"])
    return Coordinates(np.where(inside, rows, 0), np.where(inside, columns, 0), inside)


def gather(w: Params, x: Array, outside: int = 0) -> Ints:
    """x [in_h,in_w,channels] -> [out_h,out_w,kernel_h,kernel_w,channels]."""
    where = coordinates(w)
    values = ints(x)[where.rows, where.columns]
    return np.where(where.inside[..., None], values, outside)


def scatter(w: Params, values: Array) -> Ints:
    """The transpose of gather: [out_h,out_w,kernel_h,kernel_w,channels] added up at the inputs."""
    where = coordinates(w)
    sums = np.zeros((w["in_h"], w["in_w"], values.shape[-1]), np.int64)
    np.add.at(sums, (where.rows, where.columns), np.where(where.inside[..., None], values, 0))
    return sums


def input_shape(w: Params) -> tuple[int, int, int]:
    """Shape of the input map."""
    return w["in_h"], w["in_w"], w["in_c"]


def output_shape(w: Params) -> tuple[int, int, int]:
    """Shape of the output map."""
    return w["out_h"], w["out_w"], w["out_c"]
