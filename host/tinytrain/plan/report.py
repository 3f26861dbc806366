"""What a build costs, as data and as text: computed from what will run, or measured on what was
linked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

from tinytrain.ir.optimizer import Optimizer
from tinytrain.ir.program import KernelCall, Program
from tinytrain.passes.storage import COUNT_BYTES
from tinytrain.plan.arena import Arena

ITEM_BYTES = {"int8": 1, "uint8": 1, "int16": 2, "int32": 4}

SCRIPT_BYTES = 8 * 1024
"""Heap left to the user's own script when the report says that a model fits."""

Value = int | str | bool | float | Sequence[Mapping[str, "int | str"]]


PARTS = {
    "fraction_bytes": "of it bits below the int8 weights (--master)",
    "velocity_bytes": "of it velocities (--momentum)",
    "sum_bytes": "of it sums of gradients (--batch)",
}
"""Parts of the state by the name of their figure."""


@dataclass(frozen=True, slots=True)
class BoardMemory:
    """What the report needs to know of a board: bytes of free heap on stock firmware, and whether
    weights can be read in place from flash (ROMFS or raw flash)."""

    name: str
    target: str
    heap_bytes: int
    flash_weights: bool


@dataclass(frozen=True, slots=True)
class Report:
    """The figures of one build; `values` is report.json."""

    values: Mapping[str, Value]

    @property
    def fits(self) -> bool:
        """Whether the heap of the board holds it."""
        return bool(self.values["fits"])

    def text(self) -> str:
        """report.txt."""
        v = self.values
        weights = {
            "ram": "read into RAM from a file",
            "flash": "read in place from flash (ROMFS or raw flash)",
        }[str(v["weights_in"])]
        rows = [
            ("arena (activations, gradients, scratch)", v["arena_bytes"]),
            ("  lower bound of the planner", v["lower_bound_bytes"]),
            ("state (trained parameters)", v["state_bytes"]),
            *((f"  {what}", v[key]) for key, what in PARTS.items() if v[key]),
            ("module code and constants in RAM", v["module_bytes"]),
            (f"weights, {weights}", v["weights_bytes"]),
            ("kept free for your own script", v["script_bytes"]),
            ("heap needed", v["ram_bytes"]),
            (f"heap free on {v['board']}", v["heap_bytes"]),
        ]
        lines = [
            f"{v['model']} for {v['board']} ({v['target']})",
            f"update {v['update']}, loss {v['loss']}, gradients {v['gradients']}",
            str(v["optimizer"]),
            "",
        ]
        lines += [f"{name:<58}{value:>12,}" for name, value in rows]
        lines += ["", f"{'MACs forward':<58}{v['macs_forward']:>12,}"]
        lines += [f"{'MACs backward':<58}{v['macs_backward']:>12,}"]
        lines += ["", _verdict(v), "", f"The arena's peak is {v['peak']}."]
        return "\n".join(lines) + "\n"


def make_report(
    program: Program,
    arena: Arena,
    update: str,
    module_bytes: int,
    weights_bytes: int,
    board: BoardMemory,
) -> Report:
    """Put the figures together; weights stay in flash only where they would not fit otherwise."""
    own = arena.nbytes + program.state_bytes + module_bytes + SCRIPT_BYTES
    in_flash = board.flash_weights and own + weights_bytes > board.heap_bytes
    needed = own + (0 if in_flash else weights_bytes)
    values: dict[str, Value] = {
        "model": program.name,
        "board": board.name,
        "target": board.target,
        "update": update,
        "loss": program.loss.value if program.loss else "none",
        "gradients": program.gradients.value,
        "arena_bytes": arena.nbytes,
        "lower_bound_bytes": arena.lower_bound,
        "state_bytes": program.state_bytes,
        **{key: _plane_bytes(program, key) for key in PARTS},
        "optimizer": _optimizer(program.optimizer),
        "weights_bytes": weights_bytes,
        "weights_in": "flash" if in_flash else "ram",
        "module_bytes": module_bytes,
        "script_bytes": SCRIPT_BYTES,
        "ram_bytes": needed,
        "heap_bytes": board.heap_bytes,
        "fits": needed <= board.heap_bytes,
        "macs_forward": sum(c.macs for c in program.predict),
        "macs_backward": sum(c.macs for c in program.step if _is_backward(c)),
        "classes": program.classes,
        "peak": peak(program, arena),
        "trained": [
            {"layer": f.layer, "kind": f.kind, "shape": "x".join(map(str, f.shape))}
            for f in program.state
        ],
    }
    return Report(values)


def _plane_bytes(program: Program, figure: str) -> int:
    what = figure.removesuffix("_bytes")
    nbytes = (
        prod(f.shape) * ITEM_BYTES[f.dtype]
        for f in program.state
        if f.kind.partition("_")[2].partition("_")[0] == what
    )
    return sum(nbytes) + (COUNT_BYTES if what == "sum" and program.apply else 0)


def _optimizer(o: Optimizer) -> str:
    """The build's options in words."""
    names = {"momentum": o.momentum, "weight decay": o.decays, "batch": o.batch}
    there = "".join(f", {name}" for name, wanted in names.items() if wanted)
    return f"SGD{there}; weights of {o.master} bits, rounding {o.rounding}"


def peak(program: Program, arena: Arena) -> str:
    """The call at which the lower bound is reached, and what is alive there."""
    calls = (*program.predict, *program.step)
    if not calls:
        return "0 bytes"
    call = calls[arena.peak_tick]
    phase = "predict" if arena.peak_tick < len(program.predict) else "step"
    live = [p for s in arena.storages for p in s.alive(arena.peak_tick)]
    live.sort(key=lambda p: -p.nbytes)
    largest = ", ".join(f"{p.buffer.name} {p.nbytes:,}" for p in live[:3])
    return f"{phase}, {call.kernel} of {call.node}: {largest}"


def _is_backward(call: KernelCall) -> bool:
    return "_bwd" in call.kernel


def _verdict(v: Mapping[str, Value]) -> str:
    missing = int(str(v["ram_bytes"])) - int(str(v["heap_bytes"]))
    if missing <= 0:
        return f"It fits, with {-missing:,} bytes to spare."
    return (
        f"IT DOES NOT FIT: {missing:,} bytes are missing. Train fewer layers (--update last:N or "
        "bias:N), or take a board with more memory."
    )
