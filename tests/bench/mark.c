/* A module for scripts that put marks between what they count. */
#include "py/dynruntime.h"
#include "tt_mark.h"

static mp_obj_t mark(void) {
    TT_MARK;
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_0(mark_obj, mark);

mp_obj_t mpy_init(mp_obj_fun_bc_t *self, size_t n_args, size_t n_kw, mp_obj_t *args);

mp_obj_t mpy_init(mp_obj_fun_bc_t *self, size_t n_args, size_t n_kw, mp_obj_t *args) {
    (void)n_args;
    (void)n_kw;
    (void)args;
    MP_DYNRUNTIME_INIT_ENTRY
    mp_store_global(MP_QSTR_mark, MP_OBJ_FROM_PTR(&mark_obj));
    MP_DYNRUNTIME_INIT_EXIT
}
