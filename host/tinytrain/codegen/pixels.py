"""How the pixels of a camera become a model's int8 input; decided when the model is built."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from tinytrain.ir.graph import Graph

# what 0 .. 255 stands for in models of images, as real values
RANGES: Final = ((0, 1), (-1, 1), (0, 255))
LARGEST: Final = (1 << 23) - 1  # times 255 in 31 bits; saturates all but pixel 0


@dataclass(frozen=True, slots=True)
class Pixels:
    """int8 = floor(pixel * multiplier / 2^16 + 1/2) + zero, saturated. low, high: the real values
    that pixels 0 and 255 stand for."""

    multiplier: int
    zero: int
    low: int
    high: int


def pixels_of(graph: Graph) -> Pixels:
    """The mapping for a model's input.

    If its int8 range is one of RANGES, each end within a unit, pixels are shifted by 128. If not,
    a pixel means pixel / 255.
    """
    quant = graph.tensors[graph.input.tensor].quant
    scale, zero = Fraction(quant.per_tensor), quant.zero_point
    for low, high in RANGES:
        ends = (low / scale + zero, high / scale + zero)
        if abs(ends[0] + 128) <= 1 and abs(ends[1] - 127) <= 1:
            return Pixels(1 << 16, -128, low, high)
    return Pixels(min(round((1 << 16) / (255 * scale)), LARGEST), zero, 0, 1)
