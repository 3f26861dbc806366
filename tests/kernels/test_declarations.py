"""The header, its readers, and the guards against drift."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tinytrain.errors import BuildError
from tinytrain.kernels.extension import build_extension
from tinytrain.kernels.header import CType, declarations, parse
from tinytrain.kernels.library import library, rate_buffer
from tinytrain.kernels.reference import KERNELS

from .cases import CASES

PAD = {"in_h": 1, "in_w": 2, "channels": 3, "out_h": 4, "out_w": 5, "pad_top": 0, "pad_left": 1}


def test_header_references_and_tests_name_the_same_kernels() -> None:
    """But for sizes of scratch, which only C needs; test_kernels.py guards what they say."""
    declared = {name for name in declarations().functions if not name.endswith("_scratch")}
    assert set(KERNELS) == declared
    assert set(CASES) == declared


@pytest.mark.parametrize("name", sorted(KERNELS))
def test_references_take_the_parameters_of_the_header(name: str) -> None:
    declared = [p.name for p in declarations().function(name).parameters if p.name != "part"]
    assert list(inspect.signature(KERNELS[name]).parameters) == declared


def test_types_are_read() -> None:
    function = declarations().function("tt_conv2d_s8")
    assert [p.type.text for p in function.parameters[:3]] == [
        "const tt_conv2d *",
        "const int8_t *",
        "const int8_t *",
    ]
    assert function.result == CType("void")
    assert function.params_struct == "tt_conv2d"
    assert declarations().function("tt_rate_set").params_struct is None
    assert declarations().function("tt_widen_s8").params_struct is None
    grad = declarations().struct("tt_grad")
    assert [(f.name, f.type.base, f.type.flexible) for f in grad.fields] == [
        ("exponent", "int32_t", False),
        ("mantissa", "tt_mantissa", True),
    ]
    assert declarations().constants["TT_ZERO_EXPONENT"] == -1000
    assert declarations().constants["TT_ABI"] >= 1


def test_scratch_functions_are_found() -> None:
    assert declarations().scratch_function("tt_mean_bwd") == "tt_mean_bwd_scratch"
    assert declarations().scratch_function("tt_mean_s8") is None


def test_arguments_are_arranged_by_name() -> None:
    function = declarations().function("tt_widen_s8")
    assert function.arrange({"y": "y", "x": "x", "zero": "0", "size": "4"}) == ["4", "0", "x", "y"]


def test_initializer() -> None:
    text = declarations().initializer("tt_pad_bwd_params", {"limit": 7, "pad": PAD | {"value": -8}})
    assert text == (
        "{.pad = {.in_h = 1, .in_w = 2, .channels = 3, .out_h = 4, .out_w = 5, "
        ".pad_top = 0, .pad_left = 1, .value = -8}, .limit = 7}"
    )


def initializer(values: dict[str, Any]) -> Callable[[], object]:
    return lambda: declarations().initializer("tt_pad", values)


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (initializer(PAD), "tt_pad: field value is missing"),
        (initializer(PAD | {"value": 0, "depth": 1}), "tt_pad has no field depth; it has in_h,"),
        (initializer(PAD | {"value": 32768}), r"tt_pad\.value = 32768 does not fit int16_t"),
        (initializer(PAD | {"value": 0.5}), r"tt_pad\.value must be an integer, not 0\.5"),
        (lambda: declarations().struct("tt_conv3d"), "declares no struct tt_conv3d"),
        (lambda: declarations().function("tt_conv3d"), "declares no function tt_conv3d"),
        (
            lambda: declarations().function("tt_widen_s8").arrange({"size": 1, "in": 2}),
            "tt_widen_s8 has no parameter in; it has size, zero, x, y",
        ),
        (lambda: parse("void f(int8_t"), "cannot read the kernels' declarations"),
    ],
)
def test_mistakes_are_named(act: Callable[[], object], message: str) -> None:
    with pytest.raises(BuildError, match=message):
        act()


X = np.zeros(4, np.int8)


@pytest.mark.parametrize(
    ("args", "error", "message"),
    [
        ((4, 0, X), TypeError, "tt_widen_s8 takes 4 arguments, got 3"),
        ((4, 0, X, np.zeros(4, np.int16)), TypeError, r"tt_widen_s8\(y\): expected int32_t \*"),
        ((4, 0, np.zeros(8, np.int8)[::2], X), ValueError, r"\(x\): the array must be C-cont"),
        ((4, 0, X, np.zeros(17, np.uint8)[1:]), ValueError, r"\(y\): .*aligned to 4 bytes"),
        ((4, None, X, None), TypeError, r"\(zero\): expected int32_t, got None"),
        ((4.5, 0, X, None), TypeError, r"\(size\): expected an integer, got float"),
        ((4, 0, [1], None), TypeError, r"\(x\): expected an array or None, got list"),
    ],
)
def test_calls_are_checked(args: tuple[Any, ...], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        library().call("tt_widen_s8", *args)


def test_read_only_arrays_are_not_written() -> None:
    y = np.zeros(4, np.int32)
    y.flags.writeable = False
    with pytest.raises(ValueError, match=r"\(y\): the array must be writable"):
        library().call("tt_widen_s8", 4, 0, X, y)


def test_raw_memory_is_taken_for_any_type() -> None:
    y = np.zeros(16, np.uint8)
    library().call("tt_widen_s8", 4, 3, X.view(np.uint8), y)
    assert y.view(np.int32).tolist() == [-3] * 4


def test_compiler_errors_are_shown(tmp_path: Any) -> None:
    source = tmp_path / "wrong.c"
    source.write_text("int f(void) { return nothing; }\n")
    with pytest.raises(BuildError, match="nothing"):
        build_extension("wrong", "int f(void);", [source], [], preamble="int f(void);")


def test_processes_may_build_at_once(tmp_path: Any) -> None:
    code = "from tinytrain.kernels.library import library; print(library().call('tt_loss_bits', 0))"
    environment = os.environ | {"TINYTRAIN_CACHE": str(tmp_path)}
    runs = [
        subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE)
        for _ in range(3)
    ]
    assert [run.communicate()[0] for run in runs] == [b"0\n"] * 3
    assert len(list((tmp_path / "kernels").iterdir())) == 1


def test_signatures_are_confirmed_by_the_compiler(tmp_path: Any) -> None:
    source = tmp_path / "mismatch.c"
    source.write_text("int f(void) { return 1; }\n")
    flags = ["-Werror"]
    with pytest.raises(BuildError, match="compiling"):
        build_extension("mismatch", "long *f(void);", [source], [], flags, "int f(void);")


def test_a_missing_compiler_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CC", raising=False)
    with pytest.raises(BuildError, match="no C compiler found: install gcc"):
        build_extension("none", "int f(void);", [], [])


def test_rate_buffer() -> None:
    mantissa, exponent, *_ = rate_buffer(0.01, step=5).view(np.int32)
    assert mantissa * 2.0**exponent == pytest.approx(0.01, rel=2**-15)
