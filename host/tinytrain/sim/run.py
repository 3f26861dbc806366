"""A step on its way in the compiled model, whole or in slices."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, Final

from tinytrain.sim.goal import Goal

WHOLE: Final = 2**31 - 1


class Run:
    """tt_run of mpy_module/tt_model.h with what it points to."""

    def __init__(
        self,
        module: ModuleType,
        memory: tuple[Any, Any, Any],
        rate: Any,
        goal: Goal,
        *,
        accumulate: bool = False,
        first: int = 0,
    ) -> None:
        """memory: weights, state and arena with the input, as cffi's pointers. first: the call to
        begin with."""
        self._lib = module.lib
        self._run = module.ffi.new("tt_run *")
        self._lib.tt_step_begin(self._run, *memory, rate, int(accumulate))
        self._kept = memory, goal.target
        self._run.label = goal.label
        self._run.call = first
        if goal.target is not None:
            self._run.target = module.ffi.from_buffer("const int8_t *", goal.target)

    def until(self, call: int) -> int:
        """Go on until that call is next; the loss so far."""
        self._lib.tt_step_until(self._run, call)
        return int(self._run.loss)

    def slices(self, budget_us: int, check: Callable[[], None]) -> Iterator[int | None]:
        """Yield None after each slice, and the loss after the last one; 0: slices are calls."""
        units = WHOLE if budget_us == 0 else 1
        while True:
            check()
            units, done = self._slice(budget_us * 1000, units)
            yield int(self._run.loss) if done else None
            if done:
                return

    def _slice(self, budget: int, units: int) -> tuple[int, bool]:
        """As tt_slice in mpy_module/slices.c: each part takes half of what is left, or less."""
        start = last = time.perf_counter_ns()
        while True:
            before = self._run.part.at
            if self._lib.tt_step_some(self._run, units):
                return 1, True
            now = time.perf_counter_ns()
            took, last, left = now - last + 1, now, budget - (now - start)
            if self._run.part.at == 0:
                units, enough = (1 if budget else WHOLE), left > budget // 4
            else:
                did = self._run.part.at - before
                fits = left * did // (2 * took)
                enough = fits > 0
                units = min(fits if enough else max(1, budget * did // (2 * took)), WHOLE)
            if not enough:
                return units, False


def loss_value(loss: int, bits: int) -> float:
    """As tt_model_loss_bits: a float32 has 24 bits, the lower ones are cut off."""
    cut = max(0, loss.bit_length() - 24)
    return math.ldexp((loss >> cut) << cut, -bits)
