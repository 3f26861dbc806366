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
from tinytrain.plan.cycles import estimate
from tinytrain.plan.explain import optimality, place_of, residents
from tinytrain.plan.latent import find_latent
from tinytrain.plan.tables import layer_rows, memory_rows

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
    """What the report needs to know of a board: bytes of free heap and of stack on stock firmware,
    whether weights can be read in place from flash (ROMFS or raw flash); its flash and clock, if
    known."""

    name: str
    target: str
    heap_bytes: int
    flash_weights: bool
    stack_bytes: int
    flash_bytes: int | None = None
    clock_hz: int | None = None


@dataclass(frozen=True, slots=True)
class Code:
    """A linked module: bytes in RAM, of its file, and of the deepest stack of its own code.

    fast: it has the kernels whose cycles were measured.
    """

    ram_bytes: int
    file_bytes: int
    stack_bytes: int
    fast: bool = True


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
        lines += ["", *(f"{name:<58}{value:>12,}" for name, value in _work(v) if value)]
        lines += ["", _verdict(v), "", f"The arena is {v['arena']}.", f"Its peak is {v['peak']}."]
        return "\n".join(lines) + "\n"


def make_report(
    program: Program,
    arena: Arena,
    update: str,
    code: Code,
    weights_bytes: int,
    board: BoardMemory,
) -> Report:
    """Put the figures together; weights stay in flash only where they would not fit otherwise."""
    own = arena.nbytes + program.state_bytes + code.ram_bytes + SCRIPT_BYTES
    in_flash = board.flash_weights and own + weights_bytes > board.heap_bytes
    needed = own + (0 if in_flash else weights_bytes)

    measured = board.target if code.fast else ""

    def cycles(calls: Sequence[KernelCall]) -> int:
        return estimate(calls, measured, program.gradients.bits) or 0

    latent = find_latent(program)
    values: dict[str, Value] = {
        "model": program.name,
        "board": board.name,
        "target": board.target,
        "update": update,
        "loss": program.loss.value if program.loss else "none",
        "gradients": program.gradients.value,
        "arena_bytes": arena.nbytes,
        "lower_bound_bytes": arena.least,
        "state_bytes": program.state_bytes,
        **{key: _plane_bytes(program, key) for key in PARTS},
        "optimizer": _optimizer(program.optimizer),
        "weights_bytes": weights_bytes,
        "weights_in": "flash" if in_flash else "ram",
        "module_bytes": code.ram_bytes,
        "script_bytes": SCRIPT_BYTES,
        "ram_bytes": needed,
        "heap_bytes": board.heap_bytes,
        "fits": needed <= board.heap_bytes,
        "macs_forward": sum(c.macs for c in program.predict),
        "macs_backward": sum(c.macs for c in program.step if _is_backward(c)),
        "macs_of_tiles": sum(c.extra_macs for c in program.predict),
        "latent_bytes": latent.nbytes if latent else 0,
        "latent_macs": sum(c.macs for c in program.step[: latent.step_calls]) if latent else 0,
        "classes": program.classes,
        "arena": optimality(arena),
        "stack_bytes": code.stack_bytes,
        "board_stack_bytes": board.stack_bytes,
        "flash_bytes": code.file_bytes + weights_bytes,
        "board_flash_bytes": board.flash_bytes or 0,
        "clock_hz": board.clock_hz or 0,
        "cycles_predict": cycles(program.predict),
        "cycles_step": cycles(program.step),
        "peak": peak(program, arena),
        "layers": layer_rows(program, measured),
        "memory": memory_rows(program, arena),
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
    if not (program.predict or program.step):
        return "0 bytes"
    largest = residents(program, arena, arena.peak_tick)[:3]
    named = ", ".join(f"{r.what} {r.name} {r.nbytes:,}" for r in largest)
    return f"{place_of(program, arena.peak_tick)}: {named}"


def _is_backward(call: KernelCall) -> bool:
    return "_bwd" in call.kernel


def _work(v: Mapping[str, Value]) -> list[tuple[str, Value]]:
    """Rows of the report without those that nobody knows (0)."""
    return [
        ("MACs forward", v["macs_forward"]),
        ("  of it by computing tile by tile", v["macs_of_tiles"]),
        ("MACs backward", v["macs_backward"]),
        ("bytes of a latent (Trainer.encode)", v["latent_bytes"]),
        ("MACs of a step that it saves", v["latent_macs"]),
        ("cycles of predict, estimated", v["cycles_predict"]),
        ("cycles of step, estimated", v["cycles_step"]),
        ("deepest stack of the module's own code, at most", v["stack_bytes"]),
        (f"stack of {v['board']}", v["board_stack_bytes"]),
        ("flash for module and weights as files", v["flash_bytes"]),
        (f"flash of {v['board']}, firmware and files", v["board_flash_bytes"]),
    ]


def _verdict(v: Mapping[str, Value]) -> str:
    missing = int(str(v["ram_bytes"])) - int(str(v["heap_bytes"]))
    if missing <= 0:
        return f"It fits, with {-missing:,} bytes to spare."
    return (
        f"IT DOES NOT FIT: {missing:,} bytes are missing. Train fewer layers (--update last:N or "
        "bias:N), or take a board with more memory."
    )
