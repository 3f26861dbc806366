"""The rows of the report: what each layer costs, and where each buffer lies when."""

from __future__ import annotations

from collections.abc import Mapping

from tinytrain.ir.program import KernelCall, Program, Region
from tinytrain.plan.arena import Arena
from tinytrain.plan.cycles import estimate
from tinytrain.plan.explain import kind

Row = Mapping[str, int | str]


def layer_rows(program: Program, target: str) -> list[Row]:
    """For each layer: MACs and estimated cycles (0: unknown) of predict and of what a step does for
    it backward, bytes of the constants that it reads and of its trained parameters."""
    forward = {c.node: c for c in program.predict}
    backward: dict[str, list[KernelCall]] = {}
    for call in program.step:
        if _is_backward(call):
            backward.setdefault(call.node, []).append(call)
    rows: list[Row] = []
    for node in dict.fromkeys([*forward, *backward]):
        own = [forward[node]] if node in forward else []
        there = backward.get(node, [])
        rows.append(
            {
                "layer": node,
                "kernel": own[0].kernel.removeprefix("tt_") if own else "",
                "macs_forward": sum(c.macs for c in own),
                "macs_backward": sum(c.macs for c in there),
                "cycles_forward": estimate(own, target, program.gradients.bits) or 0,
                "cycles_backward": estimate(there, target, program.gradients.bits) or 0,
                "constant_bytes": _bytes([*own, *there], Region.WEIGHTS),
                "state_bytes": _bytes([*own, *there], Region.STATE),
            }
        )
    return rows


def _is_backward(call: KernelCall) -> bool:
    return "_bwd" in call.kernel or "_grad_" in call.kernel


def _bytes(calls: list[KernelCall], region: Region) -> int:
    pieces = {(b.offset, b.nbytes) for c in calls for b in c.buffers() if b.region is region}
    return sum(n for _, n in pieces)


def memory_rows(program: Program, arena: Arena) -> list[Row]:
    """For each buffer and phase: offset, bytes, and the calls from and to which it is alive."""
    return [
        {
            "name": part.buffer.name.removeprefix("step#"),
            "what": kind(part.buffer),
            "offset": arena.offsets[part.buffer.name],
            "bytes": part.nbytes,
            "phase": "predict" if start < len(program.predict) else "step",
            "first_call": start,
            "last_call": end,
        }
        for storage in arena.storages
        for part in storage.parts
        for start, end in part.live
    ]
