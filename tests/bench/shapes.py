"""The shapes that everybody is measured on, as kernel calls on fixed pseudo-random data.

Gradients are int16 mantissas (the default) or int8, multipliers such that few outputs saturate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bench.calls import Call
from tinytrain.kernels.library import grad_buffer, grad_bytes, library, rate_buffer
from tinytrain.kernels.memory import gradient_bits, mantissa_bits
from tinytrain.passes.fixed_point import multipliers

Array = np.ndarray[Any, Any]
Params = dict[str, Any]


@dataclass(frozen=True)
class Shape:
    """A call and what its cost is divided by. bits: of gradients."""

    name: str
    what: str
    call: Call
    units: int
    unit: str = "MAC"
    bits: int = 16


def rng(name: str) -> np.random.Generator:
    return np.random.default_rng(list(name.encode()))


def window(size: int, in_c: int, out_c: int, kernel: int = 1, stride: int = 1) -> Params:
    """SAME padding."""
    out = -(-size // stride)
    pad = max(0, (out - 1) * stride + kernel - size) // 2
    w = {"in_c": in_c, "out_c": out_c, "pad_top": pad, "pad_left": pad}
    for axis in "hw":
        w |= {f"in_{axis}": size, f"out_{axis}": out}
        w |= {f"kernel_{axis}": kernel, f"stride_{axis}": stride}
    return w


def inputs(w: Params) -> int:
    return int(w["in_h"] * w["in_w"] * w["in_c"])


def outputs(w: Params) -> int:
    return int(w["out_h"] * w["out_w"] * w["out_c"])


def int8(r: np.random.Generator, n: int, low: int = -128) -> Array:
    return r.integers(low, 127, n, np.int8, endpoint=True)


def forward(name: str, w: Params, depthwise: bool = False, clip: bool = False) -> Call:
    r = rng(name)
    kernel = "tt_depthwise_conv2d_s8" if depthwise else "tt_conv2d_s8"
    taps = w["kernel_h"] * w["kernel_w"] * (1 if depthwise else w["in_c"])
    o = w["out_c"]
    p = {"window": w, "in_zero": -5, "out_zero": -3, "low": -128, "high": 127}
    spread = np.sqrt(taps) * 74 * 74  # standard deviation of a sum
    real = 50 / spread * r.uniform(0.6, 1.2, o)
    multiplier, shift = multipliers(real)
    weights = int8(r, o * taps, -127)
    bias = r.integers(-2000, 2000, o).astype(np.int32)
    mask = np.zeros((outputs(w) + 7) // 8, np.uint8) if clip else None
    size = scratch_bytes(kernel, p)
    scratch = np.zeros(size // 4, np.int32) if size else None
    y = np.zeros(outputs(w), np.int8)
    x = int8(r, inputs(w))
    return Call(kernel, [p, x, weights, bias, multiplier, shift, y, mask, scratch])


def scratch_bytes(kernel: str, p: Params) -> int:
    return library((), mantissa_bits()).scratch_bytes(kernel, p)


def largest() -> int:
    return int(2 ** (mantissa_bits() - 1) - 1)


def gradient(r: np.random.Generator, n: int, limit: int = 32767) -> Array:
    """About normal, the largest at the limit, some zero as behind a clamp."""
    limit = min(limit, largest())
    values = r.normal(0, limit / 4, n)
    values = np.where(r.random(n) < 0.1, 0, values).clip(-limit, limit).astype(np.int16)
    values[0] = limit
    return grad_buffer(values, -20)


def bwd_input(name: str, w: Params, depthwise: bool = False) -> Call:
    r = rng(name)
    kernel = f"tt_{'depthwise_' if depthwise else ''}conv2d_bwd_input"
    p = {"window": w, "limit": largest(), "exponent": -7, "headroom": 0}
    taps = w["kernel_h"] * w["kernel_w"] * (1 if depthwise else w["in_c"])
    scale = r.integers(2**14, 2**15, w["out_c"]).astype(np.uint16)
    weights = int8(r, w["out_c"] * taps, -127)
    scratch = np.zeros(scratch_bytes(kernel, p), np.uint8)
    dx = np.zeros(grad_bytes(inputs(w)), np.uint8)
    return Call(kernel, [p, gradient(r, outputs(w)), weights, scale, dx, scratch, None])


def bwd_weight(name: str, w: Params, depthwise: bool = False, update: bool = True) -> Call:
    r = rng(name)
    kernel = f"tt_{'depthwise_' if depthwise else ''}conv2d_bwd_weight"
    p = {"window": w, "in_zero": -5, "channels": w["in_c"], "row_shift": 0}
    taps = w["kernel_h"] * w["kernel_w"] * (1 if depthwise else w["in_c"])
    n = w["out_c"] * taps
    steps = r.integers(2**14, 2**15, w["out_c"]).astype(np.uint16)
    exponents = np.full(w["out_c"], -8 - mantissa_bits(), np.int8)
    d = np.zeros(scratch_bytes(kernel, p) + (0 if update else 4 * n), np.uint8)
    rate = rate_buffer(0.01, 3) if update else None
    limit = 32767 // (1 if w["out_h"] * w["out_w"] <= 256 else 4)
    args = [p, gradient(r, outputs(w), limit), int8(r, inputs(w)), rate, steps, exponents]
    return Call(kernel, [*args, int8(r, n, -127), int8(r, n), d, None])


def cross_entropy(name: str) -> Call:
    r = rng(name)
    multiplier, shift = multipliers(r.uniform(0.3, 0.6, 10))
    sums = r.integers(-40000, 40000, 10).astype(np.int32)
    args = [{"classes": 10, "limit": largest()}, sums, multiplier, shift, 3]
    d_logits, loss = np.zeros(grad_bytes(10), np.uint8), np.zeros(1, np.int32)
    return Call("tt_softmax_cross_entropy", [*args, d_logits, loss, np.zeros(10, np.int32)])


POINTWISE = window(16, 48, 24)
DEPTHWISE_3, DEPTHWISE_5 = window(16, 48, 48, 3), window(16, 48, 48, 5)
FIRST = window(64, 3, 16, 3, 2)
SMALL, LARGE = window(1, 160, 10), window(1, 512, 64)


def conv_macs(w: Params) -> int:
    return outputs(w) * int(w["kernel_h"] * w["kernel_w"] * w["in_c"])


def depthwise_macs(w: Params) -> int:
    return outputs(w) * int(w["kernel_h"] * w["kernel_w"])


def shapes() -> list[Shape]:
    """W1 to W9; what has to do with gradients once more for those of 8 bits."""
    with gradient_bits(8):
        narrow = [s for s in _shapes() if s.name >= "W5"]
    return [*_shapes(), *(replace(s, name=f"{s.name} int8", bits=8) for s in narrow)]


def _shapes() -> list[Shape]:

    def conv(name: str, what: str, make: Callable[..., Call], w: Params, **options: Any) -> Shape:
        return Shape(name, what, make(name, w, **options), conv_macs(w))

    def depthwise(name: str, what: str, make: Callable[..., Call], w: Params, **o: Any) -> Shape:
        return Shape(name, what, make(name, w, depthwise=True, **o), depthwise_macs(w))

    return [
        conv("W1", "pointwise 16x16x48 to 24", forward, POINTWISE),
        conv("W1 clip", "the same with its clip mask", forward, POINTWISE, clip=True),
        depthwise("W2 3x3", "depthwise on 16x16x48", forward, DEPTHWISE_3),
        depthwise("W2 5x5", "depthwise on 16x16x48", forward, DEPTHWISE_5),
        conv("W3", "3x3 stride 2, 64x64x3 to 32x32x16", forward, FIRST),
        conv("W4 160", "fully connected 160 to 10", forward, SMALL),
        conv("W4 512", "fully connected 512 to 64", forward, LARGE),
        conv("W5 dX", "pointwise, gradient of the input", bwd_input, POINTWISE),
        conv("W5 dW", "pointwise, gradient of the weights", bwd_weight, POINTWISE, update=False),
        depthwise("W6 3x3 dX", "depthwise", bwd_input, DEPTHWISE_3),
        depthwise("W6 3x3 dW", "depthwise", bwd_weight, DEPTHWISE_3),
        depthwise("W6 5x5 dX", "depthwise", bwd_input, DEPTHWISE_5),
        depthwise("W6 5x5 dW", "depthwise", bwd_weight, DEPTHWISE_5),
        conv("W7 160 dX", "fully connected", bwd_input, SMALL),
        conv("W7 512 dX", "fully connected", bwd_input, LARGE),
        Shape("W7 512 dW", "and update", bwd_weight("W7", LARGE), 512 * 64, "weight"),
        Shape("W8", "softmax cross-entropy, 10 classes", cross_entropy("W8"), 1, "call"),
        conv("W9", "pointwise dW and update", bwd_weight, POINTWISE),
    ]
