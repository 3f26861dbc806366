"""What a build can do besides plain SGD, and how precisely it keeps what it trains.

Each choice costs only the builds that make it: code, and for momentum, batches and fractions also
state, which the report states in bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

MASTERS: Final = (8, 12, 16)
WEIGHT_VELOCITY_BITS: Final = 11  # int16 in units of 2^-11 LSB: up to 16 LSB a step
BIAS_VELOCITY_BITS: Final = 8  # int32 in units of 2^-8 LSB: up to 2^20 LSB a step


@dataclass(frozen=True, slots=True)
class Optimizer:
    """Build options. momentum: there is a velocity for each trained parameter. batch: gradients can
    be added up over examples. weight_decay: see `decays`. master: bits of a trained weight, 8 of
    them the integer that forward reads. rounding: of what is below the last of these bits.
    """

    momentum: bool = False
    weight_decay: bool = False
    batch: bool = False
    master: int = 16
    rounding: Literal["stochastic", "nearest"] = "stochastic"

    def __post_init__(self) -> None:
        """Refuse what there are no kernels for."""
        if self.master not in MASTERS:
            raise ValueError(f"master is 8, 12 or 16 bits, not {self.master}")
        if self.rounding not in ("stochastic", "nearest"):
            raise ValueError(f"rounding is 'stochastic' or 'nearest', not {self.rounding!r}")

    @property
    def plain(self) -> bool:
        """Whether the smallest kernels do: SGD, 16 bits, stochastic rounding."""
        return self == Optimizer()

    @property
    def decays(self) -> bool:
        """Whether weight decay can be set: the other kernels all have it."""
        return not self.plain

    @property
    def fraction_bits(self) -> int:
        """Bits below the integer."""
        return self.master - 8

    @property
    def variant(self) -> str:
        """The end of the names of kernels that update."""
        return "" if self.plain else "__batch" if self.batch else "__optimizer"


PLAIN: Final = Optimizer()
