"""The kernels, compiled for this machine and called on numpy arrays."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinytrain.kernels.extension import build_extension
from tinytrain.kernels.header import (
    INTEGER_RANGES,
    Declarations,
    Variable,
    declarations,
    header_text,
    include_dir,
    sources_dir,
)
from tinytrain.kernels.memory import (
    Bytes,
    grad_buffer,
    grad_bytes,
    grad_exponent,
    grad_mantissa,
    gradient_bits,
)

__all__ = [
    "Bytes",
    "Library",
    "float_bits",
    "grad_buffer",
    "grad_bytes",
    "grad_exponent",
    "grad_mantissa",
    "gradient_bits",
    "library",
    "rate_buffer",
]


class Library:
    """The compiled kernels. `ffi` and `lib` are cffi's; `call` takes numpy arrays."""

    def __init__(self, ffi: Any, lib: Any, declared: Declarations) -> None:
        self.ffi = ffi
        self.lib = lib
        self.declarations = declared

    def call(self, name: str, *args: object) -> int | None:
        """Run a function of the header; arguments in its order.

        Scalars are ints. A parameter struct is a mapping (nested ones are nested mappings). A data
        pointer takes a C-contiguous array of its element type, or one of uint8 as raw memory; None
        is NULL. tt_grad, tt_sums and tt_rate take raw memory. cffi's own data pass unchanged. An
        argument `part` may be left out: all is done.
        """
        result: int | None = getattr(self.lib, name)(*self.convert(name, args))
        return result

    def convert(self, name: str, args: Sequence[object]) -> list[Any]:
        """Arguments as `call` takes them in cffi's form; arrays have to outlive it."""
        function = self.declarations.function(name)
        if function.in_parts and len(args) == len(function.parameters) - 1:
            args = (*args, None)
        if len(args) != len(function.parameters):
            raise TypeError(f"{name} takes {len(function.parameters)} arguments, got {len(args)}")
        converted = []
        for parameter, arg in zip(function.parameters, args, strict=True):
            try:
                converted.append(self._convert(parameter, arg))
            except (TypeError, ValueError) as error:
                raise type(error)(f"{name}({parameter.name}): {error}") from None
        return converted

    def scratch_bytes(self, kernel: str, params: Mapping[str, object]) -> int:
        """How many bytes of scratch memory a kernel needs with these parameters."""
        function = self.declarations.scratch_function(kernel)
        if function is None:
            return 0
        return self.call(function, params) or 0

    def lead_bytes(self, kernel: str, params: Mapping[str, object]) -> int:
        """By how many bytes y may begin before x so that both may overlap; -1: never."""
        function = f"{kernel}_lead"
        if function not in self.declarations.functions:
            return -1
        lead = self.call(function, params)
        return -1 if lead is None else lead

    def struct(self, name: str, values: Mapping[str, object]) -> Any:
        """A new C struct with these values; every field must be given."""
        self.declarations.check(name, values)
        return self.ffi.new(f"{name} *", values)

    def _convert(self, parameter: Variable, arg: object) -> Any:
        ctype = parameter.type
        if arg is None:
            if not ctype.pointer:
                raise TypeError(f"expected {ctype.text}, got None")
            return self.ffi.NULL
        if isinstance(arg, self.ffi.CData):
            return arg
        if not ctype.pointer:
            if not hasattr(arg, "__index__"):
                raise TypeError(f"expected an integer, got {type(arg).__name__}")
            return int(arg.__index__())
        if isinstance(arg, Mapping):
            return self.struct(ctype.base, arg)
        if not isinstance(arg, np.ndarray):
            raise TypeError(f"expected an array or None, got {type(arg).__name__}")
        _check_array(parameter, arg)
        # the address, because from_buffer() knows no empty arrays
        return self.ffi.cast(ctype.text, arg.ctypes.data)


def _check_array(parameter: Variable, array: NDArray[Any]) -> None:
    ctype = parameter.type
    is_data = ctype.base in INTEGER_RANGES
    element = np.dtype(ctype.base.removesuffix("_t") if is_data else np.int32)
    if array.dtype not in (np.uint8, element if is_data else np.uint8):
        raise TypeError(f"expected {ctype.text} or raw memory (uint8), got {array.dtype}")
    if not array.flags.c_contiguous:
        raise ValueError("the array must be C-contiguous")
    if not ctype.const and not array.flags.writeable:
        raise ValueError("the array must be writable")
    if array.ctypes.data % element.itemsize:
        raise ValueError(f"the memory must be aligned to {element.itemsize} bytes")


@cache
def library(flags: tuple[str, ...] = (), bits: int = 16) -> Library:
    """The kernels for gradients of 16 or 8 bits, compiled with extra flags (say, a sanitizer)."""
    sources = sorted(sources_dir().glob("*.c"))
    module = build_extension(
        "tinytrain_kernels",
        header_text(bits),
        sources,
        [include_dir()],
        (*flags, f"-DTT_GRADIENT_BITS={bits}"),
    )
    return Library(module.ffi, module.lib, declarations())


class RangeChecker:
    """Kernels that form all sums in 64 bits and note those that leave 32.

    kernels: what to call. failures: how many sums were too large so far; where: file and line of
    the first.
    """

    def __init__(self, bits: int = 16) -> None:
        """Compile them, or find them compiled."""
        module = build_extension(
            "tinytrain_checked",
            header_text(bits) + "extern int tt_range_failures, tt_range_line;\n",
            sorted(sources_dir().glob("*.c")),
            [include_dir()],
            ("-DTT_CHECK_RANGES", f"-DTT_GRADIENT_BITS={bits}"),
            preamble=_CHECKED,
        )
        self.kernels = Library(module.ffi, module.lib, declarations())
        self._start: int = module.lib.tt_range_failures

    @property
    def failures(self) -> int:
        """Sums that left 32 bits since this object was made."""
        return int(self.kernels.lib.tt_range_failures) - self._start


_CHECKED = """
#include "tinytrain.h"
int tt_range_failures, tt_range_line;
void tt_range_error(const char *file, int line);
void tt_range_error(const char *file, int line) {
    (void)file;
    tt_range_failures++;
    tt_range_line = line;
}
"""


def rate_buffer(
    lr: float = 0.0,
    step: int = 0,
    *,
    momentum: float = 0.0,
    decay: float = 0.0,
    accumulate: bool = False,
) -> Bytes:
    """A new tt_rate in memory, at the beginning of step `step`."""
    memory = np.zeros(7, np.int32)
    memory[6] = accumulate
    raw = memory.view(np.uint8)
    for function, value in (("rate", lr), ("momentum", momentum), ("decay", decay)):
        library().call(f"tt_{function}_set", raw, float_bits(value))
    library().call("tt_rate_begin", raw, step)
    return raw


def float_bits(value: float) -> int:
    """The nearest IEEE 754 single, as bits."""
    (bits,) = struct.unpack("<I", struct.pack("<f", value))
    return int(bits)
