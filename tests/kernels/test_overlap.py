"""What a kernel says about overlapping memory (tt_<kernel>_lead) holds, bit for bit."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tinytrain.kernels.header import declarations
from tinytrain.kernels.library import library

from .cases import Args, arguments

LEADS = sorted(name.removesuffix("_lead") for name in declarations().functions if "_lead" in name)
FLAGS = {"wide": (), "narrow": ("-DTT_NARROW=1",)}


@pytest.mark.parametrize("variant", FLAGS)
@pytest.mark.parametrize("kernel", LEADS)
@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_output_may_lie_over_the_input(kernel: str, variant: str, data: st.DataObject) -> None:
    args = data.draw(arguments(kernel))
    lead = library().lead_bytes(kernel, args[0])
    assume(lead >= 0)
    assert lead % 4 == 0
    step = math.lcm(4, args[0]["window"]["in_c"])
    check(kernel, FLAGS[variant], args, lead + step * data.draw(st.integers(0, 2)))


def check(kernel: str, flags: tuple[str, ...], args: Args, lead: int) -> None:
    function = declarations().function(kernel)
    names = [p.name for p in function.parameters]
    x, y = args[names.index("x")], args[names.index("y")]
    apart = dict(zip(names, copy(args), strict=True))
    library(flags).call(kernel, *apart.values())
    memory = np.zeros(max(lead + x.nbytes, y.nbytes), np.int8)
    memory[lead : lead + x.nbytes] = x.reshape(-1)
    over = dict(zip(names, copy(args), strict=True))
    over |= {"x": memory[lead : lead + x.nbytes], "y": memory[: y.nbytes]}
    library(flags).call(kernel, *over.values())
    np.testing.assert_array_equal(over["y"], apart["y"].reshape(-1).view(np.int8))
    if apart["clip"] is not None:
        np.testing.assert_array_equal(over["clip"], apart["clip"])


def copy(args: Args) -> list[Any]:
    return [a.copy() if isinstance(a, np.ndarray) else a for a in args]


def test_there_is_such_a_kernel() -> None:
    assert "tt_depthwise_conv2d_s8" in LEADS


def test_a_map_that_keeps_its_size_leads_by_its_padding() -> None:
    window = {"in_h": 6, "in_w": 5, "in_c": 8, "out_h": 6, "out_w": 5, "out_c": 8}
    window |= {"kernel_h": 3, "kernel_w": 3, "stride_h": 1, "stride_w": 1}
    window |= {"pad_top": 1, "pad_left": 1}
    p = {"window": window, "in_zero": 0, "out_zero": 0, "low": -128, "high": 127}
    assert library().lead_bytes("tt_depthwise_conv2d_s8", p) == (1 * 5 + 1) * 8
    twice = p | {"window": window | {"out_c": 16}}
    assert library().lead_bytes("tt_depthwise_conv2d_s8", twice) == -1
