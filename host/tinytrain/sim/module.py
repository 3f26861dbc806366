"""The generated C of a model, compiled into an extension module of the host."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Final

from tinytrain.compilation import Compiled
from tinytrain.kernels.extension import build_extension
from tinytrain.plan.latent import find_latent
from tinytrain.resources import c_kernels_dir, cache_dir, mpy_module_dir

CDEF: Final = """
typedef struct { int32_t mantissa; int32_t exponent; uint32_t dither; int32_t decay_mantissa;
                 int32_t decay_exponent; int32_t momentum; int32_t accumulate; } tt_rate;
void tt_rate_set(tt_rate *rate, uint32_t float_bits);
void tt_decay_set(tt_rate *rate, uint32_t float_bits);
void tt_momentum_set(tt_rate *rate, uint32_t float_bits);
void tt_model_reset(const uint8_t *weights, uint8_t *state);
void tt_model_predict(const uint8_t *weights, const uint8_t *state, uint8_t *arena);
"""
CDEF_STEP: Final = """
typedef struct { int32_t at, units; int32_t written, shift; } tt_part;
typedef struct { const uint8_t *weights; uint8_t *state, *arena; const int8_t *target;
                 int32_t label; int32_t loss; tt_rate rate; int32_t call; tt_part part; } tt_run;
void tt_step_begin(tt_run *run, const uint8_t *weights, uint8_t *state, uint8_t *arena,
                   const tt_rate *rate, int32_t accumulate);
int32_t tt_step_some(tt_run *run, int32_t units);
void tt_step_until(tt_run *run, int32_t call);
"""
CDEF_LATENT: Final = """
void tt_model_encode(const uint8_t *weights, uint8_t *arena);
void tt_model_decode(const uint8_t *weights, const uint8_t *state, uint8_t *arena);
"""
CDEF_BATCH: Final = """
void tt_model_apply(const uint8_t *weights, uint8_t *state, tt_rate *rate);
"""


def module_of(compiled: Compiled) -> ModuleType:
    """The model's C and all kernels as one extension module."""
    folder = cache_dir() / "models" / f"{compiled.source.hash:016x}"
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (("model.h", compiled.source.header), ("model.c", compiled.source.body)):
        _write(folder / name, text)
    model = [folder / "model.c", mpy_module_dir() / "step.c"]
    sources = [*model, *sorted((c_kernels_dir() / "src").glob("*.c"))]
    return build_extension(
        "model",
        CDEF
        + (CDEF_STEP if compiled.program.step else "")
        + (CDEF_LATENT if find_latent(compiled.program) else "")
        + (CDEF_BATCH if compiled.program.apply else ""),
        sources,
        [folder, mpy_module_dir(), c_kernels_dir() / "include"],
        (f"-DTT_GRADIENT_BITS={compiled.program.gradients.bits}",),
        preamble='#include "tt_model.h"',
        folder="models",
    )


def _write(path: Path, text: str) -> None:
    """Write a file so that others see the whole of it or nothing."""
    if path.exists():
        return
    handle, temporary = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    Path(temporary).rename(path)
