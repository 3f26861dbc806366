/* Exceptions, objects and memory. */
#include <string.h>

#include "binding.h"

/* Not mp_load_global: the globals are the caller's, who may have a variable of that name. */
mp_obj_t tt_import(qstr module, qstr name) {
    return mp_load_attr(mp_import_name(module, mp_const_none, MP_OBJ_NEW_SMALL_INT(0)), name);
}

mp_obj_t tt_builtin(qstr name) {
    return tt_import(MP_QSTR_builtins, name);
}

/* ---- objects -------------------------------------------------------------------------------- */

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

static mp_obj_t tt_number(char kind, const void *number) {
    return mp_binary_get_val_array(kind, (void *)(uintptr_t)number, 0);
}

mp_obj_t tt_float(const uint32_t *bits) {
    return tt_number('f', bits);
}

static mp_obj_t tt_tuple(const int32_t *numbers) {
    mp_obj_t items[8];
    size_t count = (size_t)*numbers++;
    for (size_t i = 0; i < count; i++) {
        items[i] = MP_OBJ_NEW_SMALL_INT(numbers[i]);
    }
    return mp_obj_new_tuple(count, items);
}

void tt_store_all(mp_obj_t dict, const char *kinds, const qstr *names, const void *const *values) {
    for (; *kinds != '\0'; kinds++, names++, values++) {
        mp_obj_t value;
        if (*kinds == 'O') {
            value = MP_OBJ_FROM_PTR(*values);
        } else if (*kinds == 's') {
            value = tt_text(*values);
        } else if (*kinds == 't') {
            value = tt_tuple(*values);
        } else {
            value = tt_number(*kinds, values);
        }
        mp_obj_dict_store(dict, MP_OBJ_NEW_QSTR(*names), value);
    }
}

/* ---- exceptions ----------------------------------------------------------------------------- */

TT_NORETURN void tt_raise(qstr exception, mp_obj_t message) {
    const mp_obj_type_t *type = MP_OBJ_TO_PTR(tt_builtin(exception));
    nlr_raise(mp_obj_new_exception_arg1(type, message));
}

TT_NORETURN void tt_refuse(const char *text) {
    tt_raise(MP_QSTR_ValueError, tt_text(text));
}

TT_NORETURN void tt_refuse_type(const char *text) {
    tt_raise(MP_QSTR_TypeError, tt_text(text));
}

TT_NORETURN void tt_give_up(const char *text) {
    tt_raise(MP_QSTR_RuntimeError, tt_text(text));
}

TT_NORETURN void tt_refuse_size(qstr name, size_t expected, size_t got) {
    mp_obj_t values[] = {
        MP_OBJ_NEW_QSTR(name), mp_obj_new_int_from_uint(expected), mp_obj_new_int_from_uint(got)};
    tt_raise(MP_QSTR_ValueError, tt_format("%s: %d bytes expected, got %d", 3, values));
}

TT_NORETURN void tt_refuse_buffer(qstr name, const char *expected) {
    mp_obj_t values[] = {MP_OBJ_NEW_QSTR(name), tt_text(expected)};
    tt_raise(MP_QSTR_TypeError, tt_format("%s: %s buffer expected", 2, values));
}

/* ---- memory ----------------------------------------------------------------------------------- */

#if MICROPY_ENABLE_DYNRUNTIME
#define tt_malloc_maybe(bytes) m_realloc_maybe(NULL, (bytes), false)
#else
#define tt_malloc_maybe(bytes) m_malloc_maybe((bytes))
#endif

void *tt_allocate(size_t bytes) {
    void *block = tt_malloc_maybe(bytes);
    if (block == NULL) {
        mp_obj_t free = mp_call_function_n_kw(tt_import(MP_QSTR_gc, MP_QSTR_mem_free), 0, 0, NULL);
        mp_obj_t values[] = {mp_obj_new_int_from_uint(bytes), free};
        tt_raise(
            MP_QSTR_MemoryError, tt_format("%d bytes needed in one piece, %d free", 2, values));
    }
    return tt_fill(block, 0, bytes);
}
