"""The packed kernels that are in C alone, on this machine: the bits of the portable ones, often.

test_on_boards.py runs them where they belong, but less of it.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import numpy as np
import pytest

from bench.shapes import scratch_bytes, window
from tinytrain.backend.kernel_sources import include_dirs, kernel_sources
from tinytrain.kernels.extension import build_extension
from tinytrain.kernels.header import declarations, header_text
from tinytrain.kernels.library import Library, grad_buffer, grad_bytes, gradient_bits, library

from .test_kernels import copies, is_scratch, run
from .test_on_boards import KERNELS, random_calls

# test_sanitizers.py runs this file once more with other flags
EXTRA = tuple(os.environ.get("TINYTRAIN_TEST_FLAGS", "").split())
TARGETS = ("armv7m", "rv32imc")  # their kernels have no instructions of their own
CALLS = 200
CANARY = 64


@cache
def packed(target: str, bits: int) -> Library:
    flags = (*EXTRA, f"-DTT_GRADIENT_BITS={bits}")
    sources = kernel_sources(target)
    made = build_extension(f"tinytrain_{target}", header_text(bits), sources, include_dirs(), flags)
    return Library(made.ffi, made.lib, declarations())


@pytest.mark.parametrize("bits", [16, 8])
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", KERNELS)
def test_packed_equals_portable(name: str, target: str, bits: int) -> None:
    function = declarations().function(name)
    with gradient_bits(bits):
        for number, call in enumerate(random_calls(name, CALLS)):
            args: list[Any] = list(call.args)
            if function.in_parts and len(args) == len(function.parameters):
                args.pop()  # what parts are is the drivers' business on boards
            expected, ours = copies(args, 0), copies(args, CANARY)
            assert run(packed(target, bits), name, ours) == library((), bits).call(name, *expected)
            for parameter, a, b in zip(function.parameters, ours, expected, strict=False):
                if isinstance(a, np.ndarray) and not is_scratch(function, parameter.name, args):
                    if parameter.name == "d":  # sums, then what is scratch in any case
                        a, b = (v[: 4 * args[7].size] for v in (a, b))
                    message = f"call {number}: {name}({parameter.name}), {args[0]}"
                    np.testing.assert_array_equal(a, b, err_msg=message)


@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize("target", TARGETS)
def test_largest_sums_become_mantissas(target: str, size: int) -> None:
    """To which of 8 bits what is rounded up cannot be added in 31 bits."""
    kernel, w = "tt_conv2d_bwd_input", window(size, 4, 517)
    p = {"window": w, "limit": 127, "exponent": 0, "headroom": 8}
    with gradient_bits(8):
        dy = grad_buffer(np.full(size * size * 517, 127), 0)
        weights, scale = np.full(4 * 517, 127, np.int8), np.full(517, 2**15, np.uint16)
        dx = np.zeros(grad_bytes(4 * size * size), np.uint8)
        working = np.zeros(scratch_bytes(kernel, p), np.uint8)
        args: list[Any] = [p, dy, weights, scale, dx, working]
        expected, ours = copies(args, 0), copies(args, CANARY)
        library((), 8).call(kernel, *expected)
        run(packed(target, 8), kernel, ours)
        np.testing.assert_array_equal(ours[4], expected[4])
