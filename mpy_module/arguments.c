/* Arguments from Python, checked. */
#include <string.h>

#include "binding.h"

bool tt_is_str(mp_obj_t object) {
    return mp_obj_get_type(object) == &mp_type_str;
}

int tt_get_buffer(mp_obj_t object, mp_buffer_info_t *view, mp_uint_t access) {
    return !tt_is_str(object) && mp_get_buffer(object, view, access) ? view->typecode : 0;
}

static bool tt_is_byte(int typecode) {
    return typecode == 'b' || typecode == 'B' || typecode == BYTEARRAY_TYPECODE;
}

void *tt_get_bytes(mp_obj_t object, qstr name, size_t size, mp_uint_t access) {
    mp_buffer_info_t view;
    if (!tt_is_byte(tt_get_buffer(object, &view, access))) {
        tt_refuse_buffer(name, access == MP_BUFFER_WRITE ? "writable" : "int8");
    }
    if (view.len != size) {
        tt_refuse_size(name, size, view.len);
    }
    return view.buf;
}

#if TT_INDICES
static bool tt_is_word(int typecode) {
    return typecode == 'i' || typecode == 'I' ||
           (sizeof(long) == 4 && (typecode == 'l' || typecode == 'L'));
}

const void *tt_get_input(mp_obj_t x) {
    mp_buffer_info_t view;
    int typecode = tt_get_buffer(x, &view, MP_BUFFER_READ);
    if (!tt_is_byte(typecode) && !tt_is_word(typecode)) {
        tt_refuse_buffer(MP_QSTR_x, "int32");
    }
    if (view.len != TT_INPUT_BYTES) {
        tt_refuse_size(MP_QSTR_x, TT_INPUT_BYTES, view.len);
    }
    for (size_t i = 0; i < TT_INPUT_BYTES / 4; i++) {
        int32_t index;
        tt_copy(&index, (const uint8_t *)view.buf + 4 * i, 4);
        if ((uint32_t)index >= TT_INDICES) {
            mp_obj_t values[] = {mp_obj_new_int_from_uint(i), MP_OBJ_NEW_SMALL_INT(TT_INDICES - 1)};
            tt_raise(MP_QSTR_ValueError, tt_format("x[%d]: 0 to %d expected", 2, values));
        }
    }
    return view.buf;
}
#else
const void *tt_get_input(mp_obj_t x) {
    return tt_get_bytes(x, MP_QSTR_x, TT_INPUT_BYTES, MP_BUFFER_READ);
}
#endif

void tt_get_arguments(size_t n_args, const mp_obj_t *args, mp_map_t *named, qstr first, qstr second,
    size_t least, size_t most, mp_arg_val_t *given) {
    mp_arg_t allowed[TT_ARGUMENTS] = {
        {(uint16_t)first, MP_ARG_OBJ, {.u_obj = MP_OBJ_NULL}},
        {(uint16_t)second, MP_ARG_OBJ, {.u_obj = mp_const_none}},
#if TT_LOSS != TT_LOSS_NONE
        {MP_QSTR_budget_us, MP_ARG_OBJ, {.u_obj = MP_OBJ_NEW_SMALL_INT(2000)}},
#endif
    };
    for (size_t i = 0; i < least; i++) {
        allowed[i].flags |= MP_ARG_REQUIRED;
    }
    mp_arg_t latent = {MP_QSTR_latent, MP_ARG_KW_ONLY | MP_ARG_BOOL, {.u_bool = false}};
    allowed[most] = latent;
    mp_arg_parse_all(n_args - 1, args + 1, named, most + 1, allowed, given);
    given[TT_LATENT] = given[most];
    if (TT_LATENT_BYTES == 0 && given[TT_LATENT].u_bool) {
        tt_refuse(TT_NO_LATENT);
    }
}

#if TT_LOSS == TT_LOSS_SOFTMAX
tt_goal tt_get_goal(const mp_arg_val_t *given) {
    mp_obj_t y = given[TT_Y].u_obj;
    if (!mp_obj_is_small_int(y) && mp_obj_get_type(y) != MP_OBJ_TO_PTR(tt_builtin(MP_QSTR_int))) {
        tt_refuse_type("y: int expected"); /* no bool, no float */
    }
    if (!mp_obj_is_small_int(y) || (mp_uint_t)MP_OBJ_SMALL_INT_VALUE(y) >= TT_CLASSES) {
        mp_obj_t values[] = {MP_OBJ_NEW_SMALL_INT(TT_CLASSES - 1), y};
        tt_raise(MP_QSTR_ValueError, tt_format("y: 0 to %d expected, got %d", 2, values));
    }
    tt_goal goal = {(int32_t)MP_OBJ_SMALL_INT_VALUE(y), NULL};
    return goal;
}
#elif TT_LOSS == TT_LOSS_SIGMOID
tt_goal tt_get_goal(const mp_arg_val_t *given) {
    tt_goal goal = {0, tt_get_bytes(given[TT_Y].u_obj, MP_QSTR_y, TT_CLASSES, MP_BUFFER_READ)};
    for (size_t i = 0; i < TT_CLASSES; i++) {
        if ((uint8_t)goal.target[i] > 1u) {
            mp_obj_t values[] = {mp_obj_new_int_from_uint(i), MP_OBJ_NEW_SMALL_INT(goal.target[i])};
            tt_raise(MP_QSTR_ValueError, tt_format("y[%d]: 0 or 1 expected, got %d", 2, values));
        }
    }
    return goal;
}
#elif TT_LOSS == TT_LOSS_MSE
/* Without y the model learns towards x; the input in the arena does not last until the loss. */
tt_goal tt_get_goal(const mp_arg_val_t *given) {
    tt_goal goal = {0, NULL};
    mp_obj_t y = given[TT_Y].u_obj;
#if TT_INPUT_BYTES == TT_OUTPUT_BYTES && !TT_INDICES
    if (y == mp_const_none && !given[TT_LATENT].u_bool) {
        goal.label = 1;
        goal.target = tt_get_bytes(given[TT_X].u_obj, MP_QSTR_x, TT_INPUT_BYTES, MP_BUFFER_READ);
        return goal;
    }
#endif
    goal.target = tt_get_bytes(y, MP_QSTR_y, TT_OUTPUT_BYTES, MP_BUFFER_READ);
    return goal;
}
#endif
