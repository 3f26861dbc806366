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
from tinytrain.kernels.header import declarations
from tinytrain.kernels.library import gradient_bits, library

from .cases import CASES, Maker

CASES_EACH = {"tt_conv2d_s8": 96, "tt_depthwise_conv2d_s8": 96}  # they have several ways
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


@pytest.mark.parametrize(
    ("board", "bits"),
    [
        *(("m0", 16), ("m0", 8), ("m4f", 16), ("m4f", 8), ("m7dp", 16)),
        *(("m3", 16), ("rv32", 16), ("esp32", 16), ("esp32s2", 16)),
    ],
    indirect=["board"],
)
def test_boards_compute_the_same(board, bits, tmp_path):
    module = tmp_path / "tinykernels.mpy"
    build_module(board, KERNELS, bits, module)
    with gradient_bits(bits):
        compiled = library((), bits)
        calls = [c for k in KERNELS for c in random_calls(k, CASES_EACH.get(k, CASES_OTHERS))]
        images = [make_image(compiled, KERNELS.index(c.kernel), c) for c in calls]
        expected = [expected_crc(compiled, c, i) for c, i in zip(calls, images, strict=True)]
    outcomes = run_calls(board, module, images)
    wrong = [
        (number, call.kernel, call.args[0])
        for number, (call, outcome, crc) in enumerate(zip(calls, outcomes, expected, strict=True))
        if outcome.crc != crc
    ]
    assert not wrong, f"{len(wrong)} of {len(calls)}, the first: {wrong[0]}"
