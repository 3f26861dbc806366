"""How many cycles a call takes on a target: a fit to measurements of each kernel.

A kernel takes about the sum of a few counts, each times a coefficient that is not negative: its
multiply-accumulates, rows of taps, elements written, pixels, and the call itself. The coefficients
are data (cycles_TARGET.json, written by `make cycles` from an emulated board). A kernel or target
that has not been measured has no estimate.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from tinytrain.ir.program import Argument, Buffer, KernelCall, Region, StructValue, View
from tinytrain.kernels.header import declarations

COUNTS = ("macs", "rows", "elements", "pixels", "calls")
ITEM_BYTES = {"int8_t": 1, "uint8_t": 1, "int16_t": 2, "uint16_t": 2, "int32_t": 4}
Coefficients = Mapping[str, Mapping[str, float]]
"""measured_as(call) -> count -> cycles for each."""


def table_path(target: str) -> Path:
    """The file with the coefficients of a target."""
    return Path(__file__).with_name(f"cycles_{target}.json")


@cache
def coefficients(target: str) -> Coefficients:
    """The coefficients of a target; empty if nobody has measured it."""
    path = table_path(target)
    if not path.exists():
        return {}
    kernels: Coefficients = json.loads(path.read_text(encoding="utf-8"))["kernels"]
    return kernels


def estimate(calls: Iterable[KernelCall], target: str, bits: int = 16) -> int | None:
    """Cycles of calls one after the other; None if one of them has not been measured."""
    total = 0.0
    for call in calls:
        if call.body:
            inner = estimate(call.body, target, bits)
            if inner is None:
                return None
            total += inner * call.tiles[0] * call.tiles[1]
            continue
        table = coefficients(target).get(measured_as(call))
        if table is None:
            return None
        total += sum(table[name] * n for name, n in counts(call, bits).items() if name in table)
    return round(total)


def measured_as(call: KernelCall) -> str:
    """The name of a call's coefficients: the kernel, and what of the call decides how it works.

    Convolutions have other ways for a single pixel (`dense`), for kernels of 1x1 (`pointwise`) and
    for strides; an optimizer's kernel does more with velocities.
    """
    w = _window(call.args.get("p"))
    kind = ""
    if w is not None and w["kernel_h"] == w["kernel_w"] == 1:
        single = w["in_h"] * w["in_w"] == w["out_h"] * w["out_w"] == 1
        kind = "+dense" if single else "+pointwise"
    elif w is not None and (w["stride_h"], w["stride_w"]) != (1, 1):
        kind = "+strided"
    return call.kernel + kind + ("+velocity" if call.args.get("velocity") is not None else "")


def counts(call: KernelCall, bits: int = 16) -> Mapping[str, int]:
    """What a call does, in numbers; bits: of gradients."""
    elements = max((_elements(b, bits) for b in _written(call)), default=1)
    p = call.args.get("p")
    window = _window(p)
    if isinstance(p, Mapping) and "map_h" in p:  # a block of a map
        rows, columns, channels = (int(str(p[name])) for name in ("rows", "columns", "channels"))
        elements, pixels = rows * columns * channels, rows * columns
        return {"rows": rows, "elements": elements, "pixels": pixels, "calls": 1}
    if window is None:
        macs = call.macs or _sums(call.args.get("p"))
        return {"macs": macs, "elements": elements, "calls": 1}
    side = "in" if "_bwd_input" in call.kernel or "pool2d_bwd" in call.kernel else "out"
    macs = call.macs or elements * window["kernel_h"] * window["kernel_w"]
    rows = macs // max(1, window["kernel_w"])
    if "_bwd_weight" not in call.kernel:
        rows = elements * window["kernel_h"]
    return {
        "macs": macs,
        "rows": rows,
        "elements": elements,
        "pixels": window[f"{side}_h"] * window[f"{side}_w"],
        "calls": 1,
    }


def _sums(p: Argument | StructValue) -> int:
    """What the gradient of a bias or of an embedding adds up."""
    if not isinstance(p, Mapping):
        return 0
    inner = p.get("gradient", p)
    if isinstance(inner, Mapping) and {"pixels", "channels"} <= set(inner):
        pixels, channels = inner["pixels"], inner["channels"]
        return pixels * channels if isinstance(pixels, int) and isinstance(channels, int) else 0
    if isinstance(inner, Mapping) and {"rows", "count", "depth"} <= set(inner):
        count, depth = inner["count"], inner["depth"]
        return count * depth if isinstance(count, int) and isinstance(depth, int) else 0
    return 0


def _written(call: KernelCall) -> Iterable[Buffer]:
    for p in declarations().function(call.kernel).parameters:
        argument = call.args.get(p.name)
        buffer = argument.buffer if isinstance(argument, View) else argument
        working = p.name in ("scratch", "clip", "d", "loss")
        if isinstance(buffer, Buffer) and not p.type.const and not working:
            yield buffer


def _elements(buffer: Buffer, bits: int) -> int:
    if buffer.ctype == "tt_grad":
        return (buffer.nbytes - 4) // (bits // 8)
    size = 4 if buffer.ctype == "tt_sums" else ITEM_BYTES.get(buffer.ctype, 1)
    return buffer.nbytes // size


def _window(p: Argument | StructValue) -> Mapping[str, int] | None:
    """The tt_window somewhere in a kernel's parameters."""
    if not isinstance(p, Mapping):
        return None
    if "kernel_h" in p:
        return {name: value for name, value in p.items() if isinstance(value, int)}
    inner = (_window(value) for value in p.values() if isinstance(value, Mapping))
    return next((w for w in inner if w is not None), None)


def traffic(call: KernelCall) -> int:
    """Bytes of all buffers that a call touches, weights and state included."""
    touched = {(b.region is Region.ARENA, b.name): b.nbytes for b in call.buffers()}
    return sum(touched.values())
