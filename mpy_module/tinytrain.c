/* The MicroPython module `tinytrain`: one type, Trainer, around the generated model.
 *
 * One source for two builds: a native module (.mpy), which knows the firmware through
 * mp_fun_table only, and a user C module, which is part of the firmware and may bring the weights
 * along (TT_BUILTIN_WEIGHTS). Floats never pass a call by value, because a native module and its
 * firmware may disagree on how; they go through memory, as arrays of one element. Constant text
 * costs RAM on the board, so the messages are short. */
#include "binding.h"

static void tt_types_init(tt_types *types) {
    mp_obj_full_type_t *type = &types->trainer;
    type->base.type = &mp_type_type;
    type->flags = MP_TYPE_FLAG_NONE;
    type->name = MP_QSTR_Trainer;
    MP_OBJ_TYPE_SET_SLOT(type, make_new, tt_trainer_make_new, 0);
    MP_OBJ_TYPE_SET_SLOT(type, print, tt_trainer_print, 1);
    MP_OBJ_TYPE_SET_SLOT(type, attr, tt_trainer_attr, 2);
    MP_OBJ_TYPE_SET_SLOT(type, locals_dict, MP_OBJ_TO_PTR(tt_trainer_dict()), 3);
#if TT_LOSS != TT_LOSS_NONE
    tt_slices_type_init(&types->slices);
#endif
}

#if MICROPY_ENABLE_DYNRUNTIME
/* Nothing else of what is compiled together with it has to be seen from outside. */
__attribute__((externally_visible)) mp_obj_t mpy_init(
    mp_obj_fun_bc_t *self, size_t n_args, size_t n_kw, mp_obj_t *args);

/* The type lives on the heap, held by the module and by its instances: the module has neither bss
 * nor initialised data, with which the loaders of some targets have trouble. */
mp_obj_t mpy_init(mp_obj_fun_bc_t *self, size_t n_args, size_t n_kw, mp_obj_t *args) {
    /* clang-format off */
    MP_DYNRUNTIME_INIT_ENTRY
    (void)n_args;
    (void)n_kw;
    (void)args;
    /* clang-format on */
    tt_types *types = tt_allocate(sizeof(tt_types));
    tt_types_init(types);
    mp_store_global(MP_QSTR_Trainer, MP_OBJ_FROM_PTR(&types->trainer));
    MP_DYNRUNTIME_INIT_EXIT
}
#else
/* Methods and constants are made at the first import after a (soft) reset, like those of the native
 * module, and live on the heap: what holds them is static and has to be a root. */
#if !MICROPY_MODULE_BUILTIN_INIT
#error "tinytrain needs MICROPY_MODULE_BUILTIN_INIT (MICROPY_CONFIG_ROM_LEVEL_EXTRA_FEATURES)"
#endif

static tt_types tt_module_types;
MP_REGISTER_ROOT_POINTER(mp_obj_t tinytrain_trainer_dict);

static mp_obj_t tt_module_init(void) {
    tt_types_init(&tt_module_types);
    MP_STATE_VM(tinytrain_trainer_dict) =
        MP_OBJ_FROM_PTR(MP_OBJ_TYPE_GET_SLOT(&tt_module_types.trainer, locals_dict));
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_0(tt_module_init_obj, tt_module_init);

static const mp_rom_map_elem_t tt_module_table[] = {
    {MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR_tinytrain)},
    {MP_ROM_QSTR(MP_QSTR___init__), MP_ROM_PTR(&tt_module_init_obj)},
    {MP_ROM_QSTR(MP_QSTR_Trainer), MP_ROM_PTR(&tt_module_types.trainer)},
};
static MP_DEFINE_CONST_DICT(tt_module_globals, tt_module_table);

const mp_obj_module_t tt_user_cmodule = {
    .base = {&mp_type_module},
    .globals = (mp_obj_dict_t *)&tt_module_globals,
};
MP_REGISTER_MODULE(MP_QSTR_tinytrain, tt_user_cmodule);
#endif
