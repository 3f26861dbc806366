"""Random calls of the kernels in native modules, on emulated boards: the bits of this machine.

Here lie the kernels that a target has of its own; the portable ones are compared with numpy in
test_kernels.py.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import pytest

from bench.calls import Call, build_module, expected_crc, make_image, run_calls
from bench.shapes import bwd_input, largest, scratch_bytes, window
from tinytrain.kernels.header import declarations
from tinytrain.kernels.library import grad_buffer, grad_bytes, gradient_bits, library, rate_buffer
from tinytrain.kernels.memory import mantissa_bits

from .cases import CASES, Maker

CASES_EACH = {  # they have several ways
    "tt_conv2d_s8": 96,
    "tt_depthwise_conv2d_s8": 96,
    "tt_depthwise_conv2d_bwd_weight": 48,
}
CASES_OTHERS = 16
KERNELS = (
    "tt_conv2d_s8",
    "tt_conv2d_s32",
    "tt_depthwise_conv2d_s8",
    "tt_conv2d_bwd_input",
    "tt_depthwise_conv2d_bwd_input",
    "tt_conv2d_s8__partial",
    "tt_conv2d_bwd_input__partial",
    "tt_conv2d_bwd_weight",
    "tt_depthwise_conv2d_bwd_weight",
    "tt_clip_bwd",
    "tt_grad_add",
    "tt_bias_bwd",
    "tt_average_pool2d_bwd",
    "tt_add_s8",
    "tt_softmax_cross_entropy",
)


class Random(Maker):
    """Draws from a seed alone."""

    def __init__(self, seed: int) -> None:
        object.__setattr__(self, "rng", np.random.default_rng(seed))

    def int(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high, endpoint=True))

    def pick(self, *choices: Any) -> Any:
        return choices[int(self.rng.integers(len(choices)))]


def random_calls(kernel: str, n: int) -> list[Call]:
    """Every other one in parts, if the kernel knows them."""
    seed = zlib.crc32(kernel.encode())
    calls = [Call(kernel, CASES[kernel](Random(seed + i))) for i in range(n)]
    if not declarations().function(kernel).in_parts:
        return calls
    parts = [{"at": 0, "units": 1 + i % 5, "written": 0, "shift": 0} for i in range(0, n, 2)]
    for call, part in zip(calls[::2], parts, strict=True):
        call.args.append(part)
    return calls


def update_calls(n: int) -> list[Call]:
    """Updates of pointwise weights, some at the ends of their range, from far below a unit on.

    Among the sums are small ones, 0 and -2^15.
    """
    calls = []
    for seed in range(n):
        r = np.random.default_rng(seed)
        w = window(3, 4 * int(r.integers(1, 4)), int(r.integers(2, 70)))
        bits = int(r.integers(3, mantissa_bits()))
        dy = r.integers(1 - (1 << bits), 1 << bits, (9, w["out_c"]))
        dy[1:, r.random(w["out_c"]) < 0.4] = 0
        dy[0, r.random(w["out_c"]) < 0.3] = 1 << (mantissa_bits() - 2)
        x = r.integers(-128, 128, 9 * w["in_c"]).astype(np.int8)
        x[: w["in_c"] : 3] = -7
        count = w["in_c"] * w["out_c"]
        edges = r.choice([-128, -127, -126, 126, 127], count, p=[0.08, 0.23, 0.23, 0.23, 0.23])
        weights = np.where(r.random(count) < 0.2, edges, r.integers(-127, 128, count))
        rate = rate_buffer(float(r.uniform(0.5, 1)), seed)
        shift = bits + 22 + int(r.integers(-7, 8)) + r.integers(0, 3, w["out_c"])
        steps = r.integers(2**14, 2**15, w["out_c"]) * (r.random(w["out_c"]) > 0.1)
        p = {"window": w, "in_zero": -5, "channels": w["in_c"], "row_shift": 0}
        d = np.zeros(scratch_bytes("tt_conv2d_bwd_weight", p), np.uint8)
        args = [p, grad_buffer(dy), x, rate, steps.astype(np.uint16), (-shift - 8).astype(np.int8)]
        args += [weights.astype(np.int8), r.integers(-128, 128, count).astype(np.int8), d, None]
        calls.append(Call("tt_conv2d_bwd_weight", args))
    return calls


def loss_calls(n: int) -> list[Call]:
    """Losses of few classes, of all equal ones and of a label that is nearly certain.

    Sums have up to 31 bits; or the others' probabilities are, nearly, a power of two.
    """
    calls = []
    for seed in range(n):
        r = np.random.default_rng(seed)
        classes = 4096 if seed % 32 == 0 else int(r.integers(1, 18))
        left = int(r.choice([-17, -9, -1, 0, 3]))
        span = min(int(2 ** r.uniform(0, 34)), 2**31 - 1, 2**30 >> max(left, 0))
        sums = r.integers(-span, span, classes, endpoint=True)
        sums[r.random(classes) < 0.1] = span
        multiplier = r.integers(2**30, 2**31, classes)
        multiplier[r.random(classes) < 0.1] = 0
        label = int(r.integers(classes))
        if seed % 2 == 0:
            left, multiplier[:] = 1, 2**30
            sums = np.full(classes, 3) + (r.integers(-2, 3, classes) if seed % 3 else 0)
            odds = max(classes - 1, 1) * (2.0 ** int(r.integers(1, 22)) - 1)
            sums[label] += seed % 64 and round(4096 * np.log(odds)) + int(r.integers(-9, 9))
        shift = np.full(classes, left, np.int8)
        limit = largest() if r.random() < 0.6 else int(r.integers(2, 128))
        grad, loss = np.zeros(grad_bytes(classes), np.uint8), np.zeros(1, np.int32)
        scratch = np.zeros(classes, np.int32)
        factors = [sums.astype(np.int32), multiplier.astype(np.int32), shift]
        p = {"classes": classes, "limit": limit}
        calls.append(Call("tt_softmax_cross_entropy", [p, *factors, label, grad, loss, scratch]))
    return calls


@pytest.mark.parametrize(
    ("board", "bits"),
    [
        *(("m0", 16), ("m0", 8), ("m4f", 16), ("m4f", 8), ("m7dp", 16)),
        *(("m3", 16), ("rv32", 16), ("rv32", 8), ("esp32", 16), ("esp32s2", 16)),
    ],
    indirect=["board"],
)
def test_boards_compute_the_same(board, bits, tmp_path):
    module = tmp_path / "tinykernels.mpy"
    build_module(board, KERNELS, bits, module)
    with gradient_bits(bits):
        compiled = library((), bits)
        calls = [c for k in KERNELS for c in random_calls(k, CASES_EACH.get(k, CASES_OTHERS))]
        calls += [*update_calls(32), *loss_calls(192)]
        squares = [window(n, n % 5 + 1, n % 5 + 1, 3) for n in (2, 4, 6, 10, 15, 28)]
        calls += [bwd_input(f"square {i}", w, depthwise=True) for i, w in enumerate(squares)]
        images = [make_image(compiled, KERNELS.index(c.kernel), c) for c in calls]
        expected = [expected_crc(compiled, c, i) for c, i in zip(calls, images, strict=True)]
    outcomes = run_calls(board, module, images)
    wrong = [
        (number, call.kernel, call.args[0])
        for number, (call, outcome, crc) in enumerate(zip(calls, outcomes, expected, strict=True))
        if outcome.crc != crc
    ]
    assert not wrong, f"{len(wrong)} of {len(calls)}, the first: {wrong[0]}"
