"""No sum of the backward pass leaves 32 bits: kernels that form them in 64 bits look on."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from support.shared import NAMES, golden, loss_for, path_of, to_int8
from support.zoo import ZOO
from tinytrain.compilation import Compiled, Options, compile_graph, compile_model
from tinytrain.ir.loss import Loss
from tinytrain.kernels.library import RangeChecker, grad_buffer, grad_bytes, gradient_bits
from tinytrain.passes.bounds import INT32_MAX
from tinytrain.passes.fixed_point import below_power_of_two
from tinytrain.sim.interpreter import Interpreter

TYPES = ("int16", "int8")
# once the parameters have been driven to their ends, sums are as large as they become
RATES = (0.0, 1.0, 100.0, 100.0)


@cache
def checked(bits: int) -> RangeChecker:
    return RangeChecker(bits)


def failures(compiled: Compiled, inputs: Any) -> int:
    checker = checked(compiled.program.gradients.bits)
    before = checker.failures
    machine = Interpreter(compiled.program, compiled.arena, checker.kernels)
    for i, lr in enumerate(RATES):
        x = inputs[i % len(inputs)].reshape(-1)
        if compiled.program.loss is Loss.MSE:  # towards the input
            machine.step(x, 1, lr, target=x)
        else:
            machine.step(x, i % compiled.program.classes, lr)
    return checker.failures - before


@pytest.mark.parametrize("gradients", TYPES)
# a softmax takes two outputs or more
@pytest.mark.parametrize("name", [n for n in NAMES if n != "tflm_hello_world_int8"])
def test_real_models(name: str, gradients: str) -> None:
    options = Options(loss_for(name), gradients=gradients)
    compiled = compile_model(path_of(name), "all", options)
    assert failures(compiled, to_int8(compiled.graph, golden(name)[0])) == 0


@pytest.mark.parametrize("gradients", TYPES)
@pytest.mark.parametrize("name", ZOO)
def test_random_models(name: str, gradients: str) -> None:
    for seed in range(4):
        model = ZOO[name](seed)
        compiled = compile_graph(model.graph(), "all", Options(gradients=gradients))
        assert failures(compiled, model.noise(seed, 4)) == 0


WIDE = 600
PIXEL = dict.fromkeys(("in_h", "in_w", "out_h", "out_w", "kernel_h", "kernel_w", "in_c"), 1)
PIXEL |= {"stride_h": 1, "stride_w": 1, "pad_top": 0, "pad_left": 0, "out_c": WIDE}


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize(("bits", "headroom"), [(16, 0), (8, 8)])
def test_twice_the_limit_is_noticed(bits: int, headroom: int, sign: int) -> None:
    """The limit that the builder gives a layer's gradient is as large as it can be."""
    checker = checked(bits)
    limit = below_power_of_two(INT32_MAX // (WIDE * 127)) >> headroom
    for factor, noticed in ((1, False), (2, True)):
        with gradient_bits(bits):
            dy = grad_buffer(np.full(WIDE, sign * factor * limit))
            dx = np.zeros(grad_bytes(1), np.uint8)
        p = {"window": PIXEL, "limit": 127, "exponent": 0, "headroom": headroom}
        w, scale = np.full(WIDE, 127, np.int8), np.full(WIDE, 2**15, np.uint16)
        before = checker.failures
        checker.kernels.call("tt_conv2d_bwd_input", p, dy, w, scale, dx, np.zeros(1, np.int32))
        assert (checker.failures > before) == noticed
