"""A native module of a few lines, for what a build accepts and refuses."""

from __future__ import annotations

from pathlib import Path

from tinytrain.backend.natmod import build_natmod

INIT = """
#include "py/dynruntime.h"
mp_obj_t mpy_init(mp_obj_fun_bc_t *self, size_t n, size_t n_kw, mp_obj_t *args);
%s
mp_obj_t mpy_init(mp_obj_fun_bc_t *self, size_t n, size_t n_kw, mp_obj_t *args) {
    MP_DYNRUNTIME_INIT_ENTRY
    (void)n, (void)n_kw, (void)args;
    %s
    MP_DYNRUNTIME_INIT_EXIT
}
"""


def build_small(tmp_path: Path, target: str, before: str, inside: str, **options: object) -> None:
    source = tmp_path / "small.c"
    source.write_text(INIT % (before, inside))
    out, work = tmp_path / "small.mpy", tmp_path / "work"
    build_natmod([source], [], target, out, work, **options)  # type: ignore[arg-type]


STORE = "mp_store_global(MP_QSTR_x, MP_OBJ_NEW_SMALL_INT("
