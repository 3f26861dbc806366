"""Every kernel: C and numpy, written apart from the same declaration, give the same bits."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tinytrain.kernels.header import Function, declarations
from tinytrain.kernels.library import Library, RangeChecker, gradient_bits, library
from tinytrain.kernels.reference import KERNELS

from .cases import CASES, Args, arguments

# test_sanitizers.py runs this file once more with other flags
EXTRA = tuple(os.environ.get("TINYTRAIN_TEST_FLAGS", "").split())
VARIANTS = {"wide": EXTRA, "narrow": (*EXTRA, "-DTT_NARROW=1")}
CANARY = 64

range_checker = cache(RangeChecker)


def with_gradients(name: str) -> bool:
    return any(p.type.base == "tt_grad" for p in declarations().function(name).parameters)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", sorted(CASES))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_c_equals_reference(name: str, variant: str, data: st.DataObject) -> None:
    check(name, VARIANTS[variant], data.draw(arguments(name)))


@pytest.mark.parametrize("name", sorted(filter(with_gradients, CASES)))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_c_equals_reference_with_int8_gradients(name: str, data: st.DataObject) -> None:
    with gradient_bits(8):
        check(name, EXTRA, data.draw(arguments(name)), bits=8)


def check(name: str, flags: tuple[str, ...], args: Args, bits: int = 16) -> None:
    compiled = library(flags, bits)
    expected, guarded = copies(args, 0), copies(args, CANARY)
    result = KERNELS[name](*expected)
    assert run(compiled, name, guarded) == result
    function = compiled.declarations.function(name)
    for parameter, ours, theirs in zip(function.parameters, guarded, expected, strict=False):
        if isinstance(ours, np.ndarray) and not is_scratch(function, parameter.name, args):
            np.testing.assert_array_equal(ours, theirs, err_msg=f"{name}({parameter.name})")


def copies(args: Args, canary: int) -> Args:
    """The arguments copied; one array given twice stays one. Canaries lie around every copy."""
    seen: dict[int, NDArray[Any]] = {}
    result: Args = []
    for arg in args:
        if isinstance(arg, np.ndarray):
            if id(arg) not in seen:
                raw = np.full(arg.nbytes + 2 * canary, 0xA5, np.uint8)
                inner = raw[canary : canary + arg.nbytes].view(arg.dtype).reshape(arg.shape)
                inner[...] = arg
                seen[id(arg)] = inner
            result.append(seen[id(arg)])
        else:
            result.append(arg)
    return result


def run(compiled: Library, name: str, args: Args) -> int | None:
    """Call a kernel; nothing around its arrays may change."""
    result = compiled.call(name, *args)
    for arg in args:
        if isinstance(arg, np.ndarray) and arg.nbytes:
            raw = arg
            while isinstance(raw.base, np.ndarray):
                raw = raw.base
            assert (raw[:CANARY] == 0xA5).all() and (raw[-CANARY:] == 0xA5).all(), name
    return result


def is_scratch(function: Function, parameter: str, args: Args) -> bool:
    """Whether what is left in an array is nobody's business."""
    if parameter == "d" and "__" in function.name:
        return True
    if parameter == "d" and "weight" in function.name:
        return args[3] is not None
    return parameter == "scratch"


@pytest.mark.parametrize("bits", [16, 8])
@pytest.mark.parametrize("name", sorted(filter(with_gradients, CASES)))
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_no_sum_leaves_its_range(name: str, bits: int, data: st.DataObject) -> None:
    """Neither sums nor steps on the way to them, for all that the header allows."""
    checker = range_checker(bits)
    with gradient_bits(bits):
        checker.kernels.call(name, *data.draw(arguments(name)))
    assert checker.failures == 0
