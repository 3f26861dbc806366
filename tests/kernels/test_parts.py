"""A kernel called part by part leaves what it leaves when called once."""

from __future__ import annotations

import re
from functools import cache

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tinytrain.kernels.extension import build_extension
from tinytrain.kernels.header import (
    declarations,
    header_path,
    header_text,
    include_dir,
    parse,
    part_functions,
    sources_dir,
)
from tinytrain.kernels.library import Library, gradient_bits, library
from tinytrain.kernels.reference import KERNELS

from .cases import CASES, Args, arguments
from .test_kernels import CANARY, EXTRA, copies, is_scratch, run, with_gradients

PARTS_HEADER = include_dir() / "tinytrain_parts.h"
IN_PARTS = sorted(name for name in CASES if declarations().function(name).in_parts)


def run_parts(
    compiled: Library, name: str, args: Args, units: list[int], *, first: bool = False
) -> int:
    """Call a kernel until it says that all is done; returns how often that was.

    first: the part is the first argument, not the last one.
    """
    part = compiled.ffi.new("tt_part *")
    for calls in range(1, 100_000):
        part.units = units[calls % len(units)]
        before = part.at
        assert run(compiled, name, [part, *args] if first else [*args, part]) is None
        if part.at == 0:
            assert (part.written, part.shift) == (0, 0)
            return calls
        assert before < part.at <= before + part.units
    raise AssertionError(f"{name} does not end")


@pytest.mark.parametrize("bits", [16, 8])
@pytest.mark.parametrize("name", IN_PARTS)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_parts_equal_the_whole(name: str, bits: int, data: st.DataObject) -> None:
    if bits == 8 and not with_gradients(name):
        pytest.skip("no gradients")
    units = data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=5))
    with gradient_bits(bits):
        args = data.draw(arguments(name))
        compiled = library(EXTRA, bits)
        expected, parts = copies(args, 0), copies(args, CANARY)
        KERNELS[name](*expected)
        run_parts(compiled, name, parts, units)
    function = compiled.declarations.function(name)
    for parameter, ours, theirs in zip(function.parameters, parts, expected, strict=False):
        if isinstance(ours, np.ndarray) and not is_scratch(function, parameter.name, args):
            np.testing.assert_array_equal(ours, theirs, err_msg=f"{name}({parameter.name})")


def test_every_kernel_with_much_work_has_parts() -> None:
    """All that go backward, but not those of the loss, which work on one value a class."""
    backward = {name for name in CASES if "_bwd" in name and not name.endswith("_scratch")}
    assert backward | {"tt_grad_add", "tt_conv2d_s8__partial"} == set(IN_PARTS)


@cache
def forward() -> Library:
    """The kernels and the functions of tinytrain_parts.h."""
    declared = re.sub(r"(?m)^#.*$", "", PARTS_HEADER.read_text(encoding="utf-8"))
    module = build_extension(
        "tinytrain_parts",
        header_text() + declared,
        sorted(sources_dir().glob("*.c")),
        [include_dir()],
        EXTRA,
        preamble='#include "tinytrain_parts.h"',
    )
    text = header_path().read_text(encoding="utf-8") + declared
    return Library(module.ffi, module.lib, parse(text))


@pytest.mark.parametrize("name", sorted(part_functions()))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_parts_of_a_map_equal_the_whole(name: str, data: st.DataObject) -> None:
    units = data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=5))
    args = data.draw(arguments(name))
    compiled = forward()
    expected, parts = copies(args, 0), copies(args, CANARY)
    KERNELS[name](*expected)
    run_parts(compiled, part_functions()[name], parts, units, first=True)
    function = compiled.declarations.function(name)
    for parameter, ours, theirs in zip(function.parameters, parts, expected, strict=True):
        if isinstance(ours, np.ndarray) and not is_scratch(function, parameter.name, args):
            np.testing.assert_array_equal(ours, theirs, err_msg=f"{name}({parameter.name})")
