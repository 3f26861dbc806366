"""The functions inside the kernels, compiled for tests, with and without TT_NARROW."""

from __future__ import annotations

from functools import cache
from typing import Any

from tinytrain.kernels.extension import build_extension
from tinytrain.kernels.header import include_dir, sources_dir

# result, name and parameters of what is wrapped
FUNCTIONS = {
    "mul_high": "int32_t a, int32_t b",
    "mul_high_signed": "int32_t a, int32_t b",
    "round_shift": "int32_t a, int32_t b",
    "round_half_up": "int32_t a, int32_t b",
    "shift_toward_zero": "int32_t a, int32_t b",
    "mul_shift16": "int32_t a, uint32_t b",
    "mul_shift15": "int32_t a, uint32_t b",
    "divide": "uint32_t a, uint32_t b",
    "reciprocal_of_total": "uint32_t a",
    "requantize_s32": "int32_t a, int32_t b, int32_t c",
}
HEADERS = ("tt_exponential.h", "tt_gradient.h", "tt_update.h")
FILES = (
    *("gradient", "gradient_writer", "gradient_store"),
    *("cut_mantissas", "clip_mantissas", "update"),
)
WRITER = """
    typedef struct { int32_t exponent; %s mantissa[]; } tt_grad;
    typedef struct { tt_grad *grad; int32_t written, shift, limit, exponent, open, pitch, width;
        } tt_grad_writer;
    tt_grad_writer tt_grad_begin(tt_grad *grad, int32_t limit, int32_t exponent);
    void tt_grad_push(tt_grad_writer *writer, const int32_t *sums, int32_t n);
    void tt_grad_end(tt_grad_writer *writer);
"""
UPDATE = """
    typedef struct { int32_t mantissa; int32_t exponent; uint32_t dither;
        int32_t decay_mantissa, decay_exponent, momentum, accumulate; } tt_rate;
    typedef struct { uint32_t mantissa; int32_t shift; } tt_step;
    tt_step tt_step_of(const tt_rate *rate, uint32_t mantissa, int32_t exponent);
    int32_t tt_delta(tt_rate *rate, tt_step step, int32_t sum);
    void update_weight(int32_t delta, int8_t *w, int8_t *fraction);
"""


@cache
def internals(narrow: bool, bits: int = 16) -> Any:
    """cffi's module: lib.mul_high(a, b) and so on, lib.tt_grad_push, lib.tt_delta, ..."""
    wrappers = ["static void update_weight(int32_t delta, int8_t *w, int8_t *fraction)"]
    wrappers.append("{ tt_update_weight(delta, w, fraction); }")
    prototypes = []
    for name, parameters in FUNCTIONS.items():
        result = "uint32_t" if name in ("divide", "reciprocal_of_total") else "int32_t"
        names = ", ".join(p.split()[-1] for p in parameters.split(","))
        prototypes.append(f"{result} {name}({parameters});")
        wrappers.append(f"static {result} {name}({parameters}) {{ return tt_{name}({names}); }}")
    return build_extension(
        "tt_internals",
        WRITER % f"int{bits}_t" + UPDATE + "\n".join(prototypes),
        [sources_dir() / f"{name}.c" for name in FILES],
        [include_dir(), sources_dir()],
        (f"-DTT_NARROW={int(narrow)}", f"-DTT_GRADIENT_BITS={bits}"),
        preamble="\n".join([f'#include "{name}"' for name in HEADERS] + wrappers),
    )
