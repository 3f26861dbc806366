/* Exceptions, memory, and what the two builds name differently. */
#include "binding.h"

#if MICROPY_ENABLE_DYNRUNTIME
/* Not mp_load_global: the globals are the caller's, who may have a variable of that name. */
mp_obj_t tt_builtin(qstr name) {
    mp_obj_t builtins = mp_import_name(MP_QSTR_builtins, mp_const_none, MP_OBJ_NEW_SMALL_INT(0));
    return mp_load_attr(builtins, name);
}

static void *tt_malloc_maybe(size_t bytes) {
    return m_realloc_maybe(NULL, bytes, false);
}
#else
mp_obj_t tt_builtin(qstr name) {
    return mp_load_attr(MP_OBJ_FROM_PTR(&mp_module_builtins), name);
}

static void *tt_malloc_maybe(size_t bytes) {
    return m_malloc_maybe(bytes);
}
#endif

mp_obj_t tt_float(uint32_t bits) {
    return mp_binary_get_val_array('f', &bits, 0);
}

void tt_store(mp_obj_t dict, qstr name, mp_obj_t value) {
    mp_obj_dict_store(dict, MP_OBJ_NEW_QSTR(name), value);
}

/* ---- exceptions ----------------------------------------------------------------------------- */

mp_obj_t tt_text(const char *text) {
    size_t length = 0;
    while (text[length] != '\0') {
        length++;
    }
    return mp_obj_new_str(text, length);
}

mp_obj_t tt_format(const char *format, size_t count, const mp_obj_t *values) {
    return mp_binary_op(MP_BINARY_OP_MODULO, tt_text(format), mp_obj_new_tuple(count, values));
}

TT_NORETURN void tt_raise(qstr exception, mp_obj_t message) {
    const mp_obj_type_t *type = MP_OBJ_TO_PTR(tt_builtin(exception));
    nlr_raise(mp_obj_new_exception_arg1(type, message));
}

TT_NORETURN void tt_refuse(qstr exception, const char *text) {
    tt_raise(exception, tt_text(text));
}

TT_NORETURN void tt_refuse_size(qstr name, size_t expected, size_t got) {
    mp_obj_t values[] = {
        MP_OBJ_NEW_QSTR(name), mp_obj_new_int_from_uint(expected), mp_obj_new_int_from_uint(got)};
    tt_raise(MP_QSTR_ValueError, tt_format("%s: %d bytes expected, got %d", 3, values));
}

/* ---- memory ----------------------------------------------------------------------------------- */

static TT_NORETURN void tt_out_of_memory(size_t bytes) {
    mp_obj_t mem_free = mp_load_attr(
        mp_import_name(MP_QSTR_gc, mp_const_none, MP_OBJ_NEW_SMALL_INT(0)), MP_QSTR_mem_free);
    mp_obj_t values[] = {
        mp_obj_new_int_from_uint(bytes), mp_call_function_n_kw(mem_free, 0, 0, NULL)};
    tt_raise(MP_QSTR_MemoryError, tt_format("%d bytes needed in one piece, %d free", 2, values));
}

uint8_t *tt_allocate(size_t bytes) {
    uint8_t *block = tt_malloc_maybe(bytes);
    if (block == NULL) {
        tt_out_of_memory(bytes);
    }
    return block;
}
