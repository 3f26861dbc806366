/* Attributes of a Trainer, and how it prints. */
#include "binding.h"

static void tt_set_rate(tt_trainer *self, mp_obj_t value) {
    self->rate_bits = tt_get_factor(
        value, TT_INFINITY_BITS, "lr: number expected", "lr: finite number >= 0 expected");
    tt_rate_set(&self->rate, self->rate_bits);
}

#if TT_MOMENTUM
static void tt_set_momentum(tt_trainer *self, mp_obj_t value) {
    self->momentum_bits = tt_get_factor(
        value, TT_ONE_BITS, "momentum: number expected", "momentum: number >= 0 and < 1 expected");
    tt_momentum_set(&self->rate, self->momentum_bits);
}
#endif

#if TT_DECAY
static void tt_set_decay(tt_trainer *self, mp_obj_t value) {
    self->decay_bits = tt_get_factor(value, TT_INFINITY_BITS, "weight_decay: number expected",
        "weight_decay: finite number >= 0 expected");
    tt_decay_set(&self->rate, self->decay_bits);
}
#endif

/* A memoryview: writable, but unlike a bytearray it cannot be resized. */
static mp_obj_t tt_state_view(tt_trainer *self) {
    mp_obj_t bytes = mp_obj_new_bytearray_by_ref(TT_STATE_BYTES, self->memory);
    return mp_call_function_n_kw(tt_builtin(MP_QSTR_memoryview), 1, 0, &bytes);
}

/* Set one of the factors; false: there is none of that name. */
static bool tt_store_factor(mp_obj_t self_in, qstr attr, mp_obj_t value) {
    if (attr == MP_QSTR_lr) {
        tt_set_rate(tt_open_trainer(self_in), value);
        return true;
    }
#if TT_MOMENTUM
    if (attr == MP_QSTR_momentum) {
        tt_set_momentum(tt_open_trainer(self_in), value);
        return true;
    }
#endif
#if TT_DECAY
    if (attr == MP_QSTR_weight_decay) {
        tt_set_decay(tt_open_trainer(self_in), value);
        return true;
    }
#endif
    if (attr == MP_QSTR_momentum || attr == MP_QSTR_weight_decay) {
        tt_refuse(MP_QSTR_ValueError, "built without (--momentum, --weight-decay)");
    }
    return false;
}

/* lr, state and the optimizer's; everything else is in the type's dictionary. */
void tt_trainer_attr(mp_obj_t self_in, qstr attr, mp_obj_t *dest) {
    if (dest[0] != MP_OBJ_NULL) {
        if (dest[1] != MP_OBJ_NULL && tt_store_factor(self_in, attr, dest[1])) {
            dest[0] = MP_OBJ_NULL; /* stored */
        }
    } else if (attr == MP_QSTR_lr) {
        dest[0] = tt_float(tt_open_trainer(self_in)->rate_bits);
#if TT_MOMENTUM
    } else if (attr == MP_QSTR_momentum) {
        dest[0] = tt_float(tt_open_trainer(self_in)->momentum_bits);
#endif
#if TT_DECAY
    } else if (attr == MP_QSTR_weight_decay) {
        dest[0] = tt_float(tt_open_trainer(self_in)->decay_bits);
#endif
    } else if (attr == MP_QSTR_state) {
        dest[0] = tt_state_view(tt_open_trainer(self_in));
    } else {
        dest[1] = MP_OBJ_SENTINEL; /* look in the type */
    }
}

#define TT_STRING(...) TT_STRING_OF(__VA_ARGS__)
#define TT_STRING_OF(...) #__VA_ARGS__

#if TT_INDICES
#define TT_INPUT_TEXT "indices below %d"
#else
#define TT_INPUT_TEXT "int8, scale %g, zero %d"
#endif

void tt_trainer_print(const mp_print_t *print, mp_obj_t self_in, mp_print_kind_t kind) {
    (void)kind;
    tt_trainer *self = MP_OBJ_TO_PTR(self_in);
    if (self->memory == NULL) {
        mp_printf(print, "<Trainer " TT_MODEL_NAME " (closed)>");
        return;
    }
    mp_obj_t values[] = {
#if TT_INDICES
        MP_OBJ_NEW_SMALL_INT(TT_INDICES),
#else
        tt_float(TT_INPUT_SCALE_BITS),
        MP_OBJ_NEW_SMALL_INT(TT_INPUT_ZERO),
#endif
        tt_float(TT_OUTPUT_SCALE_BITS),
        MP_OBJ_NEW_SMALL_INT(TT_OUTPUT_ZERO),
        MP_OBJ_NEW_SMALL_INT(TT_CLASSES),
        tt_float(self->rate_bits),
        mp_obj_new_int_from_uint(TT_ARENA_BYTES),
        mp_obj_new_int_from_uint(TT_STATE_BYTES),
        mp_obj_new_int_from_uint(TT_WEIGHTS_BYTES),
    };
    /* clang-format off */
    mp_obj_t text = tt_format(
        "(" TT_STRING(TT_INPUT_SHAPE) ") " TT_INPUT_TEXT " -> "
        "(" TT_STRING(TT_OUTPUT_SHAPE) ") int8, scale %g, zero %d; "
        "%d classes, lr %g; RAM: arena %d + state %d; weights %d",
        sizeof(values) / sizeof(values[0]), values);
    /* clang-format on */
    mp_printf(print, "<Trainer " TT_MODEL_NAME ": %s bytes %s>", mp_obj_str_get_str(text),
        self->in_place ? "in place" : "in RAM");
}

/* What the Trainer is and what it takes, as a dict. */
static mp_obj_t tt_trainer_info(mp_obj_t self_in) {
    tt_trainer *self = tt_open_trainer(self_in);
    static const char losses[][8] = {"none", "softmax", "sigmoid", "mse"};
    uint32_t steps = TT_STATE_BYTES == 0 ? 0 : *(const uint32_t *)(const void *)self->memory;
    mp_obj_t hash[] = {
        mp_obj_new_int_from_uint(TT_MODEL_HASH_HIGH), mp_obj_new_int_from_uint(TT_MODEL_HASH_LOW)};
    mp_obj_t info = mp_obj_new_dict(9);
    tt_store(info, MP_QSTR_name, tt_text(TT_MODEL_NAME));
    tt_store(info, MP_QSTR_loss, tt_text(losses[TT_LOSS]));
    tt_store(info, MP_QSTR_classes, MP_OBJ_NEW_SMALL_INT(TT_CLASSES));
    tt_store(info, MP_QSTR_steps, mp_obj_new_int_from_uint(steps));
#if TT_INDICES
    tt_store(info, MP_QSTR_indices, MP_OBJ_NEW_SMALL_INT(TT_INDICES));
#else
    mp_obj_t pixels[] = {MP_OBJ_NEW_SMALL_INT(TT_PIXEL_LOW), MP_OBJ_NEW_SMALL_INT(TT_PIXEL_HIGH)};
    tt_store(info, MP_QSTR_pixels, mp_obj_new_tuple(2, pixels));
#endif
    tt_store(info, MP_QSTR_arena, mp_obj_new_int_from_uint(TT_ARENA_BYTES));
    tt_store(info, MP_QSTR_state, mp_obj_new_int_from_uint(TT_STATE_BYTES));
    tt_store(info, MP_QSTR_weights, mp_obj_new_int_from_uint(TT_WEIGHTS_BYTES));
    tt_store(info, MP_QSTR_hash, tt_format("%08x%08x", 2, hash));
    return info;
}
MP_DEFINE_CONST_FUN_OBJ_1(tt_trainer_info_obj, tt_trainer_info);
