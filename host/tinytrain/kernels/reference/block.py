"""Blocks of a map, for layers that are computed part by part."""

from __future__ import annotations

import numpy as np

from tinytrain.kernels.memory import view
from tinytrain.kernels.reference.arithmetic import Array, Params


def _coordinates(p: Params, top: int, left: int) -> tuple[Array, Array, Array]:
    """Map row and column of each pixel of the block, and whether it is inside: [rows,columns]."""
    y, x = np.meshgrid(np.arange(p["rows"]) + top, np.arange(p["columns"]) + left, indexing="ij")
    return y, x, (y >= 0) & (y < p["map_h"]) & (x >= 0) & (x < p["map_w"])


def _map(p: Params, array: Array) -> Array:
    return view(array, np.int8, (p["map_h"], p["map_w"], p["channels"]))


def _block(p: Params, array: Array) -> Array:
    return view(array, np.int8, (p["rows"], p["columns"], p["channels"]))


def crop_s8(p: Params, top: int, left: int, x: Array, y: Array) -> None:
    """y = the block of map x at (top, left), `value` outside."""
    row, column, inside = _coordinates(p, top, left)
    block = _block(p, y)
    block[inside] = _map(p, x)[row[inside], column[inside]]
    block[~inside] = p["value"]


def border_s8(p: Params, top: int, left: int, y: Array) -> None:
    """What of block y lies outside the map = `value`."""
    _block(p, y)[~_coordinates(p, top, left)[2]] = p["value"]


def paste_s8(p: Params, top: int, left: int, x: Array, y: Array) -> None:
    """Block x into map y, what is outside dropped."""
    row, column, inside = _coordinates(p, top, left)
    _map(p, y)[row[inside], column[inside]] = _block(p, x)[inside]
