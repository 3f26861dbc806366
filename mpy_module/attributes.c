/* Attributes of a Trainer, and how it prints. */
#include "binding.h"

/* Which of the factors that this build has; TT_FACTORS: none of them. */
static size_t tt_factor_of(qstr attr) {
#if TT_MOMENTUM
    if (attr == MP_QSTR_momentum) {
        return TT_AT_MOMENTUM;
    }
#endif
#if TT_DECAY
    if (attr == MP_QSTR_weight_decay) {
        return TT_AT_DECAY;
    }
#endif
    return attr == MP_QSTR_lr ? TT_LR : TT_FACTORS;
}

/* A number that is not negative and below a limit, as an IEEE 754 single. */
static uint32_t tt_get_factor(qstr attr, mp_obj_t value, uint32_t below_bits) {
    qstr exception = MP_QSTR_TypeError;
    const char *text = "%s: number expected";
    if (value != mp_const_true && value != mp_const_false) {
        uint32_t bits = 0;
        mp_binary_set_val_array('f', &bits, 0, value);
        if (bits == TT_SIGN_BIT) {
            bits = 0; /* -0.0 */
        }
        if (bits < below_bits) { /* floats >= 0 are ordered as their bits; NaN, signs come last */
            return bits;
        }
        exception = MP_QSTR_ValueError;
        text = below_bits == TT_ONE_BITS ? "%s: number >= 0 and < 1 expected"
                                         : "%s: finite number >= 0 expected";
    }
    mp_obj_t name = MP_OBJ_NEW_QSTR(attr);
    tt_raise(exception, tt_format(text, 1, &name));
}

static void tt_set_factor(tt_trainer *self, size_t factor, qstr attr, mp_obj_t value) {
    bool fraction = TT_MOMENTUM && attr == MP_QSTR_momentum;
    uint32_t bits = tt_get_factor(attr, value, fraction ? TT_ONE_BITS : TT_INFINITY_BITS);
    self->factors[factor] = bits;
#if TT_LOSS != TT_LOSS_NONE
    switch (factor) {
#if TT_MOMENTUM
        case TT_AT_MOMENTUM:
            tt_momentum_set(&self->rate, bits);
            break;
#endif
#if TT_DECAY
        case TT_AT_DECAY:
            tt_decay_set(&self->rate, bits);
            break;
#endif
        default:
            tt_rate_set(&self->rate, bits);
    }
#endif
}

/* A memoryview: writable, but unlike a bytearray it cannot be resized. */
static mp_obj_t tt_state_view(tt_trainer *self) {
    mp_obj_t bytes = mp_obj_new_bytearray_by_ref(TT_STATE_BYTES, self->memory);
    return mp_call_function_n_kw(tt_builtin(MP_QSTR_memoryview), 1, 0, &bytes);
}

/* lr, state and the optimizer's; everything else is in the type's dictionary. */
void tt_trainer_attr(mp_obj_t self_in, qstr attr, mp_obj_t *dest) {
    size_t factor = tt_factor_of(attr);
    if (dest[0] == MP_OBJ_NULL) {
        if (factor < TT_FACTORS) {
            dest[0] = tt_float(&tt_open_trainer(self_in)->factors[factor]);
        } else if (attr == MP_QSTR_state) {
            dest[0] = tt_state_view(tt_open_trainer(self_in));
        } else {
            dest[1] = MP_OBJ_SENTINEL; /* look in the type */
        }
    } else if (dest[1] != MP_OBJ_NULL) {
        if (factor < TT_FACTORS) {
            tt_set_factor(tt_open_trainer(self_in), factor, attr, dest[1]);
            dest[0] = MP_OBJ_NULL; /* stored */
        } else if (attr == MP_QSTR_momentum || attr == MP_QSTR_weight_decay) {
            tt_refuse("built without (--momentum, --weight-decay)");
        }
    }
}

#if TT_INDICES
#define TT_INPUT_TEXT "indices below " TT_STRING(TT_INDICES)
#else
#define TT_INPUT_TEXT "int8, scale %g, zero " TT_STRING(TT_INPUT_ZERO)
#endif

/* clang-format off */
#define TT_DESCRIPTION \
    "(" TT_STRING(TT_INPUT_SHAPE) ") " TT_INPUT_TEXT " -> " \
    "(" TT_STRING(TT_OUTPUT_SHAPE) ") int8, scale %g, zero " TT_STRING(TT_OUTPUT_ZERO) "; " \
    TT_STRING(TT_CLASSES) " classes, lr %g; RAM: arena " TT_STRING(TT_ARENA_BYTES) \
    " + state " TT_STRING(TT_STATE_BYTES) "; weights " TT_STRING(TT_WEIGHTS_BYTES) " bytes in "
/* clang-format on */

void tt_trainer_print(const mp_print_t *print, mp_obj_t self_in, mp_print_kind_t kind) {
    (void)kind;
    tt_trainer *self = MP_OBJ_TO_PTR(self_in);
    if (self->memory == NULL) {
        mp_printf(print, "<Trainer " TT_MODEL_NAME " (closed)>");
        return;
    }
#if !TT_INDICES
    static const uint32_t input_scale = TT_INPUT_SCALE_BITS;
#endif
    static const uint32_t output_scale = TT_OUTPUT_SCALE_BITS;
    mp_obj_t values[] = {
#if !TT_INDICES
        tt_float(&input_scale),
#endif
        tt_float(&output_scale),
        tt_float(&self->factors[TT_LR]),
    };
    mp_obj_t text = tt_format(TT_DESCRIPTION, MP_ARRAY_SIZE(values), values);
    mp_printf(print, "<Trainer " TT_MODEL_NAME ": %s%s>", mp_obj_str_get_str(text),
        self->in_place ? "place" : "RAM");
}

/* What the Trainer is and what it takes, as a dict. */
static mp_obj_t tt_trainer_info(mp_obj_t self_in) {
    tt_trainer *self = tt_open_trainer(self_in);
#if !TT_INDICES
    static const int32_t pixels[] = {2, TT_PIXEL_LOW, TT_PIXEL_HIGH};
#endif
    static const void *const values[] = {
        TT_MODEL_NAME,
        TT_LOSS == TT_LOSS_SOFTMAX   ? "softmax"
        : TT_LOSS == TT_LOSS_SIGMOID ? "sigmoid"
        : TT_LOSS == TT_LOSS_MSE     ? "mse"
                                     : "none",
        TT_WORD(TT_CLASSES),
        TT_WORD(TT_ARENA_BYTES),
        TT_WORD(TT_STATE_BYTES),
        TT_WORD(TT_WEIGHTS_BYTES),
        TT_MODEL_HASH,
#if TT_INDICES
        TT_WORD(TT_INDICES),
#else
        pixels,
#endif
    };
    const qstr names[] = {MP_QSTR_name, MP_QSTR_loss, MP_QSTR_classes, MP_QSTR_arena, MP_QSTR_state,
        MP_QSTR_weights, MP_QSTR_hash, TT_INDICES ? MP_QSTR_indices : MP_QSTR_pixels,
        MP_QSTR_steps};
    const void *steps = NULL;
    if (TT_STATE_BYTES > 0) {
        steps = TT_WORD(*(const uint32_t *)(const void *)self->memory);
    }
    mp_obj_t info = mp_obj_new_dict(MP_ARRAY_SIZE(names));
    tt_store_all(info, TT_INDICES ? "ssIIIIsI" : "ssIIIIst", names, values);
    tt_store_all(info, "I", names + MP_ARRAY_SIZE(values), &steps);
    return info;
}
MP_DEFINE_CONST_FUN_OBJ_1(tt_trainer_info_obj, tt_trainer_info);
