/* The MicroPython module `tinytrain`: one type, Trainer, around the generated model.
 *
 * One source for two builds: a native module (.mpy), which knows the firmware through
 * mp_fun_table only, and a user C module, which is part of the firmware and may bring the weights
 * along (TT_BUILTIN_WEIGHTS). Floats never pass a call by value, because a native module and its
 * firmware may disagree on how; they go through memory, as arrays of one element. Constant text
 * costs RAM on the board, so the messages are short. */
#include <string.h>

#include "tt_model.h"

#if MICROPY_ENABLE_DYNRUNTIME
#include "py/dynruntime.h"
#else
#include "py/binary.h"
#include "py/builtin.h"
#include "py/runtime.h"
#include "py/stream.h"
#endif

/* A user C module may have model.ttw as a constant; Trainer() then takes no argument. */
#ifndef TT_BUILTIN_WEIGHTS
#define TT_BUILTIN_WEIGHTS 0
#endif

#define TT_NORETURN __attribute__((noreturn))

#define TT_DEFAULT_RATE_BITS 0x3c23d70au /* 0.01 */
#define TT_SIGN_BIT 0x80000000u
#define TT_ONE_BITS 0x3f800000u
#define TT_INFINITY_BITS 0x7f800000u

/* the arena follows the state in one block; both start on a word */
#define TT_ARENA_AT (((size_t)(TT_STATE_BYTES) + 3u) & ~(size_t)3u)
#define TT_MEMORY_BYTES (TT_ARENA_AT + (size_t)(TT_ARENA_BYTES))
#define TT_FILE_BYTES (sizeof(tt_weights_header) + (size_t)(TT_WEIGHTS_BYTES))

typedef struct {
    mp_obj_base_t base;
    void *keep;             /* the object that owns the weights, or the block they were read into */
    const uint8_t *weights; /* payload: TT_WEIGHTS_BYTES, aligned to 4 bytes */
    uint8_t *memory;        /* state, then arena; NULL once closed */
    bool in_place;          /* the weights lie where the caller has them, not in a copy of a file */
    tt_rate rate;
    uint32_t rate_bits; /* the learning rate as IEEE 754 single */
#if TT_MOMENTUM
    uint32_t momentum_bits;
#endif
#if TT_DECAY
    uint32_t decay_bits;
#endif
} tt_trainer;

/* ---- what the two builds name differently ------------------------------------------------------ */

#if MICROPY_ENABLE_DYNRUNTIME
/* The globals are the module's own, with the builtins behind them. */
static mp_obj_t tt_builtin(qstr name) {
    return mp_load_global(name);
}

static void *tt_malloc_maybe(size_t bytes) {
    return m_realloc_maybe(NULL, bytes, false);
}
#else
/* Not mp_load_global: the globals are the caller's, who may have a variable of that name. */
static mp_obj_t tt_builtin(qstr name) {
    return mp_load_attr(MP_OBJ_FROM_PTR(&mp_module_builtins), name);
}

static void *tt_malloc_maybe(size_t bytes) {
    return m_malloc_maybe(bytes);
}
#endif

/* ---- exceptions ----------------------------------------------------------------------------- */

static mp_obj_t tt_text(const char *text) {
    size_t length = 0;
    while (text[length] != '\0') {
        length++;
    }
    return mp_obj_new_str(text, length);
}

static mp_obj_t tt_format(const char *format, size_t count, const mp_obj_t *values) {
    return mp_binary_op(MP_BINARY_OP_MODULO, tt_text(format), mp_obj_new_tuple(count, values));
}

static TT_NORETURN void tt_raise(qstr exception, mp_obj_t message) {
    const mp_obj_type_t *type = MP_OBJ_TO_PTR(tt_builtin(exception));
    nlr_raise(mp_obj_new_exception_arg1(type, message));
}

static TT_NORETURN void tt_refuse(qstr exception, const char *text) {
    tt_raise(exception, tt_text(text));
}

static TT_NORETURN void tt_refuse_size(qstr name, size_t expected, size_t got) {
    mp_obj_t values[] = {
        MP_OBJ_NEW_QSTR(name), mp_obj_new_int_from_uint(expected), mp_obj_new_int_from_uint(got)};
    tt_raise(MP_QSTR_ValueError, tt_format("%s: %d bytes expected, got %d", 3, values));
}

static tt_trainer *tt_open_trainer(mp_obj_t self_in) {
    tt_trainer *self = MP_OBJ_TO_PTR(self_in);
    if (self->memory == NULL) {
        tt_refuse(MP_QSTR_ValueError, "Trainer is closed");
    }
    return self;
}

/* ---- memory ----------------------------------------------------------------------------------- */

static TT_NORETURN void tt_out_of_memory(size_t bytes) {
    mp_obj_t mem_free = mp_load_attr(
        mp_import_name(MP_QSTR_gc, mp_const_none, MP_OBJ_NEW_SMALL_INT(0)), MP_QSTR_mem_free);
    mp_obj_t values[] = {
        mp_obj_new_int_from_uint(bytes), mp_call_function_n_kw(mem_free, 0, 0, NULL)};
    tt_raise(MP_QSTR_MemoryError, tt_format("%d bytes needed in one piece, %d free", 2, values));
}

static uint8_t *tt_allocate(size_t bytes) {
    uint8_t *block = tt_malloc_maybe(bytes);
    if (block == NULL) {
        tt_out_of_memory(bytes);
    }
    return block;
}

static bool tt_is_str(mp_obj_t object) {
    return mp_obj_get_type(object) == &mp_type_str;
}

/* ---- weights ---------------------------------------------------------------------------------- */

static uint32_t tt_crc32(const uint8_t *data, size_t length) {
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < length; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ (0xedb88320u & (0u - (crc & 1u)));
        }
    }
    return ~crc;
}

/* The payload behind a header that belongs to this very build; else ValueError. */
static const uint8_t *tt_check_weights(const uint8_t *data, size_t length) {
    if (length < TT_FILE_BYTES) {
        tt_refuse_size(MP_QSTR_weights, TT_FILE_BYTES, length);
    }
    if (data[0] != 'T' || data[1] != 'T' || data[2] != 'W' || data[3] != '1') {
        tt_refuse(MP_QSTR_ValueError, "weights: not a model.ttw");
    }
    if (((uintptr_t)data & 3u) != 0) {
        tt_refuse(
            MP_QSTR_ValueError, "weights: not aligned to 4 bytes; pass a copy: bytes(weights)");
    }
    const tt_weights_header *header = (const void *)data;
    if (header->abi != TT_ABI || header->hash_low != TT_MODEL_HASH_LOW ||
        header->hash_high != TT_MODEL_HASH_HIGH || header->payload_bytes != TT_WEIGHTS_BYTES) {
        tt_refuse(MP_QSTR_ValueError,
            "weights: of another build; copy tinytrain.mpy and model.ttw of the same build");
    }
    data += sizeof(tt_weights_header);
    if (tt_crc32(data, TT_WEIGHTS_BYTES) != header->payload_crc) {
        tt_refuse(MP_QSTR_ValueError, "weights: damaged (CRC differs); copy model.ttw again");
    }
    return data;
}

/* Read as much of a file as this build's weights take; returns how much there was. */
static size_t tt_read(mp_obj_t file, uint8_t *block) {
    const mp_stream_p_t *stream = mp_get_stream_raise(file, MP_STREAM_OP_READ);
    size_t length = 0;
    while (length < TT_FILE_BYTES) {
        int error = 0;
        mp_uint_t got = stream->read(file, block + length, TT_FILE_BYTES - length, &error);
        if (got == MP_STREAM_ERROR) {
            mp_raise_OSError(error);
        }
        if (got == 0) {
            break;
        }
        length += got;
    }
    return length;
}

/* Weights in a file: in place if the file system maps it to memory (ROMFS), else read to RAM. */
static void tt_load_file(tt_trainer *self, mp_obj_t path) {
    mp_obj_t args[] = {path, MP_OBJ_NEW_QSTR(MP_QSTR_rb)};
    mp_obj_t file = mp_call_function_n_kw(tt_builtin(MP_QSTR_open), 2, 0, args);
    mp_buffer_info_t view;
    self->in_place = mp_get_buffer(file, &view, MP_BUFFER_READ);
    if (self->in_place) {
        self->keep = MP_OBJ_TO_PTR(file);
    } else {
        view.buf = self->keep = tt_allocate(TT_FILE_BYTES);
        view.len = tt_read(file, view.buf);
        mp_call_function_n_kw(mp_load_attr(file, MP_QSTR_close), 0, 0, NULL);
    }
    self->weights = tt_check_weights(view.buf, view.len);
}

static void tt_load_buffer(tt_trainer *self, mp_obj_t buffer) {
    mp_buffer_info_t view;
    if (!mp_get_buffer(buffer, &view, MP_BUFFER_READ)) {
        tt_refuse(MP_QSTR_TypeError, "weights: path or buffer expected");
    }
    self->in_place = true;
    self->keep = MP_OBJ_TO_PTR(buffer);
    self->weights = tt_check_weights(view.buf, view.len);
}

#if TT_BUILTIN_WEIGHTS
extern const uint8_t tt_builtin_weights[TT_FILE_BYTES]; /* model.ttw, aligned to 4 bytes */
#endif

/* args: a path, a buffer or, with weights in the firmware, nothing. */
static void tt_load_weights(tt_trainer *self, size_t n_args, const mp_obj_t *args) {
#if TT_BUILTIN_WEIGHTS
    if (n_args == 0) {
        self->in_place = true;
        self->keep = NULL;
        self->weights = tt_check_weights(tt_builtin_weights, TT_FILE_BYTES);
        return;
    }
#endif
    (void)n_args;
    if (tt_is_str(args[0])) {
        tt_load_file(self, args[0]);
    } else {
        tt_load_buffer(self, args[0]);
    }
}

/* ---- arguments -------------------------------------------------------------------------------- */

/* A buffer of exactly that many bytes or int8. */
static void *tt_get_bytes(mp_obj_t object, qstr name, size_t size, mp_uint_t access) {
    mp_buffer_info_t view;
    if (tt_is_str(object) || !mp_get_buffer(object, &view, access) ||
        (view.typecode != 'b' && view.typecode != 'B' && view.typecode != BYTEARRAY_TYPECODE)) {
        mp_obj_t values[] = {MP_OBJ_NEW_QSTR(name),
            MP_OBJ_NEW_QSTR(access == MP_BUFFER_WRITE ? MP_QSTR_writable : MP_QSTR_int8)};
        tt_raise(MP_QSTR_TypeError, tt_format("%s: %s buffer expected", 2, values));
    }
    if (view.len != size) {
        tt_refuse_size(name, size, view.len);
    }
    return view.buf;
}

static void tt_set_input(tt_trainer *self, mp_obj_t x) {
    const void *input = tt_get_bytes(x, MP_QSTR_x, TT_INPUT_BYTES, MP_BUFFER_READ);
    memcpy(self->memory + TT_ARENA_AT + TT_INPUT_OFFSET, input, TT_INPUT_BYTES);
}

static const int8_t *tt_run_predict(tt_trainer *self, mp_obj_t x) {
    uint8_t *arena = self->memory + TT_ARENA_AT;
    tt_set_input(self, x);
    tt_model_predict(self->weights, self->memory, arena);
    return (const int8_t *)(arena + TT_OUTPUT_OFFSET);
}

/* What a step learns towards, as tt_model_step takes it. */
typedef struct {
    int32_t label;
    const int8_t *target;
} tt_goal;

#if TT_LOSS == TT_LOSS_SOFTMAX
static tt_goal tt_get_goal(mp_obj_t x, mp_obj_t y) {
    (void)x;
    if (!mp_obj_is_small_int(y) && mp_obj_get_type(y) != &mp_type_int) {
        tt_refuse(MP_QSTR_TypeError, "y: int expected"); /* no bool, no float */
    }
    if (!mp_obj_is_small_int(y) || (mp_uint_t)MP_OBJ_SMALL_INT_VALUE(y) >= TT_CLASSES) {
        mp_obj_t values[] = {MP_OBJ_NEW_SMALL_INT(TT_CLASSES - 1), y};
        tt_raise(MP_QSTR_ValueError, tt_format("y: 0 to %d expected, got %d", 2, values));
    }
    tt_goal goal = {(int32_t)MP_OBJ_SMALL_INT_VALUE(y), NULL};
    return goal;
}
#elif TT_LOSS == TT_LOSS_SIGMOID
static tt_goal tt_get_goal(mp_obj_t x, mp_obj_t y) {
    (void)x;
    tt_goal goal = {0, tt_get_bytes(y, MP_QSTR_y, TT_CLASSES, MP_BUFFER_READ)};
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
static tt_goal tt_get_goal(mp_obj_t x, mp_obj_t y) {
    tt_goal goal = {0, NULL};
    if (y != mp_const_none) {
        goal.target = tt_get_bytes(y, MP_QSTR_y, TT_OUTPUT_BYTES, MP_BUFFER_READ);
        return goal;
    }
#if TT_INPUT_BYTES == TT_OUTPUT_BYTES
    goal.label = 1;
    goal.target = tt_get_bytes(x, MP_QSTR_x, TT_INPUT_BYTES, MP_BUFFER_READ);
#else
    (void)x;
    tt_refuse(MP_QSTR_TypeError, "y: int8 buffer expected");
#endif
    return goal;
}
#endif

/* A number that is not negative and below a limit, as an IEEE 754 single. */
static uint32_t tt_get_factor(
    mp_obj_t value, uint32_t below_bits, const char *type_error, const char *value_error) {
    uint32_t bits = 0;
    if (mp_obj_get_type(value) == mp_obj_get_type(mp_const_false)) {
        tt_refuse(MP_QSTR_TypeError, type_error);
    }
    mp_binary_set_val_array('f', &bits, 0, value);
    if (bits == TT_SIGN_BIT) {
        bits = 0; /* -0.0 */
    }
    if (bits >= below_bits) { /* floats >= 0 are ordered as their bits; NaN and signs come last */
        tt_refuse(MP_QSTR_ValueError, value_error);
    }
    return bits;
}

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

/* ---- the type --------------------------------------------------------------------------------- */

static mp_obj_t tt_float(uint32_t bits) {
    return mp_binary_get_val_array('f', &bits, 0);
}

static mp_obj_t tt_trainer_make_new(
    const mp_obj_type_t *type, size_t n_args, size_t n_kw, const mp_obj_t *args) {
    mp_arg_check_num(n_args, n_kw, TT_BUILTIN_WEIGHTS ? 0 : 1, 1, false);
    tt_trainer *self = mp_obj_malloc(tt_trainer, type);
    self->memory = NULL;
#if TT_DECAY
    memset(&self->rate, 0, sizeof(self->rate));
    self->decay_bits = 0;
#endif
#if TT_MOMENTUM
    self->momentum_bits = 0;
#endif
    self->rate_bits = TT_DEFAULT_RATE_BITS;
    tt_rate_set(&self->rate, self->rate_bits);
    tt_rate_begin(&self->rate, 0);
    tt_load_weights(self, n_args, args);
    self->memory = tt_allocate(TT_MEMORY_BYTES);
    memset(self->memory, 0, TT_MEMORY_BYTES);
    tt_model_reset(self->weights, self->memory);
    return MP_OBJ_FROM_PTR(self);
}

static mp_obj_t tt_trainer_step(size_t n_args, const mp_obj_t *args) {
    tt_trainer *self = tt_open_trainer(args[0]);
#if TT_LOSS != TT_LOSS_NONE
    tt_goal goal = tt_get_goal(args[1], n_args > 2 ? args[2] : mp_const_none);
    tt_set_input(self, args[1]);
    uint8_t *arena = self->memory + TT_ARENA_AT;
    return tt_float(tt_model_loss_bits(
        tt_model_step(self->weights, self->memory, arena, &self->rate, goal.label, goal.target)));
#else
    (void)self;
    (void)n_args;
    tt_refuse(MP_QSTR_ValueError, "built to predict only; build with --update");
#endif
}
/* only a model that can learn towards its input does without y */
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(
    tt_trainer_step_obj, TT_LOSS == TT_LOSS_MSE ? 2 : 3, 3, tt_trainer_step);

#if TT_BATCH
static mp_obj_t tt_trainer_accumulate(size_t n_args, const mp_obj_t *args) {
    tt_trainer *self = tt_open_trainer(args[0]);
    tt_goal goal = tt_get_goal(args[1], n_args > 2 ? args[2] : mp_const_none);
    tt_set_input(self, args[1]);
    uint8_t *arena = self->memory + TT_ARENA_AT;
    return tt_float(tt_model_loss_bits(tt_model_accumulate(
        self->weights, self->memory, arena, &self->rate, goal.label, goal.target)));
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(
    tt_trainer_accumulate_obj, TT_LOSS == TT_LOSS_MSE ? 2 : 3, 3, tt_trainer_accumulate);

static mp_obj_t tt_trainer_apply(mp_obj_t self_in) {
    tt_trainer *self = tt_open_trainer(self_in);
    tt_model_apply(self->weights, self->memory, &self->rate);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(tt_trainer_apply_obj, tt_trainer_apply);
#endif

/* Without `out` the result is a new array('b'); with it nothing is allocated. */
static mp_obj_t tt_trainer_predict(size_t n_args, const mp_obj_t *args) {
    tt_trainer *self = tt_open_trainer(args[0]);
    void *out = NULL;
    if (n_args > 2) {
        out = tt_get_bytes(args[2], MP_QSTR_out, TT_OUTPUT_BYTES, MP_BUFFER_WRITE);
    }
    const int8_t *output = tt_run_predict(self, args[1]);
    if (n_args > 2) {
        memcpy(out, output, TT_OUTPUT_BYTES);
        return args[2];
    }
    mp_obj_t array = mp_import_name(MP_QSTR_array, mp_const_none, MP_OBJ_NEW_SMALL_INT(0));
    mp_obj_t values[] = {
        MP_OBJ_NEW_QSTR(MP_QSTR_b), mp_obj_new_bytes((const byte *)output, TT_OUTPUT_BYTES)};
    return mp_call_function_n_kw(mp_load_attr(array, MP_QSTR_array), 2, 0, values);
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(tt_trainer_predict_obj, 2, 3, tt_trainer_predict);

static mp_obj_t tt_trainer_classify(mp_obj_t self_in, mp_obj_t x) {
    const int8_t *output = tt_run_predict(tt_open_trainer(self_in), x);
    mp_int_t best = 0;
    for (mp_int_t i = 1; i < (mp_int_t)TT_OUTPUT_BYTES; i++) {
        if (output[i] > output[best]) {
            best = i;
        }
    }
    return MP_OBJ_NEW_SMALL_INT(best);
}
static MP_DEFINE_CONST_FUN_OBJ_2(tt_trainer_classify_obj, tt_trainer_classify);

static mp_obj_t tt_trainer_reset(mp_obj_t self_in) {
    tt_trainer *self = tt_open_trainer(self_in);
    tt_model_reset(self->weights, self->memory);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(tt_trainer_reset_obj, tt_trainer_reset);

/* The memory is left to the garbage collector: views of `state` may still refer to it. */
static mp_obj_t tt_trainer_deinit(mp_obj_t self_in) {
    tt_trainer *self = MP_OBJ_TO_PTR(self_in);
    self->memory = NULL;
    self->weights = NULL;
    self->keep = NULL;
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(tt_trainer_deinit_obj, tt_trainer_deinit);

static mp_obj_t tt_trainer_enter(mp_obj_t self_in) {
    return MP_OBJ_FROM_PTR(tt_open_trainer(self_in));
}
static MP_DEFINE_CONST_FUN_OBJ_1(tt_trainer_enter_obj, tt_trainer_enter);

static mp_obj_t tt_trainer_exit(size_t n_args, const mp_obj_t *args) {
    (void)n_args;
    return tt_trainer_deinit(args[0]);
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(tt_trainer_exit_obj, 4, 4, tt_trainer_exit);

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
static void tt_trainer_attr(mp_obj_t self_in, qstr attr, mp_obj_t *dest) {
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

static void tt_trainer_print(const mp_print_t *print, mp_obj_t self_in, mp_print_kind_t kind) {
    (void)kind;
    tt_trainer *self = MP_OBJ_TO_PTR(self_in);
    if (self->memory == NULL) {
        mp_printf(print, "<Trainer " TT_MODEL_NAME " (closed)>");
        return;
    }
    mp_obj_t values[] = {
        tt_float(TT_INPUT_SCALE_BITS),
        MP_OBJ_NEW_SMALL_INT(TT_INPUT_ZERO),
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
        "(" TT_STRING(TT_INPUT_SHAPE) ") int8, scale %g, zero %d -> "
        "(" TT_STRING(TT_OUTPUT_SHAPE) ") int8, scale %g, zero %d; "
        "%d classes, lr %g; RAM: arena %d + state %d; weights %d",
        sizeof(values) / sizeof(values[0]), values);
    /* clang-format on */
    mp_printf(print, "<Trainer " TT_MODEL_NAME ": %s bytes %s>", mp_obj_str_get_str(text),
        self->in_place ? "in place" : "in RAM");
}

/* ---- set-up ----------------------------------------------------------------------------------- */

static mp_obj_t tt_shape(const mp_int_t *shape, size_t count) {
    mp_obj_t dimensions[8];
    for (size_t i = 0; i < count; i++) {
        dimensions[i] = MP_OBJ_NEW_SMALL_INT(shape[i]);
    }
    return mp_obj_new_tuple(count, dimensions);
}

static void tt_store(mp_obj_t dict, qstr name, mp_obj_t value) {
    mp_obj_dict_store(dict, MP_OBJ_NEW_QSTR(name), value);
}

/* Methods, and what is the same for every Trainer of this build. */
static mp_obj_t tt_trainer_dict(void) {
    static const mp_int_t input_shape[] = {TT_INPUT_SHAPE};
    static const mp_int_t output_shape[] = {TT_OUTPUT_SHAPE};
    mp_obj_t dict = mp_obj_new_dict(22);
    tt_store(dict, MP_QSTR_step, MP_OBJ_FROM_PTR(&tt_trainer_step_obj));
#if TT_BATCH
    tt_store(dict, MP_QSTR_accumulate, MP_OBJ_FROM_PTR(&tt_trainer_accumulate_obj));
    tt_store(dict, MP_QSTR_apply, MP_OBJ_FROM_PTR(&tt_trainer_apply_obj));
#endif
    tt_store(dict, MP_QSTR_predict, MP_OBJ_FROM_PTR(&tt_trainer_predict_obj));
    tt_store(dict, MP_QSTR_classify, MP_OBJ_FROM_PTR(&tt_trainer_classify_obj));
    tt_store(dict, MP_QSTR_reset, MP_OBJ_FROM_PTR(&tt_trainer_reset_obj));
    tt_store(dict, MP_QSTR_deinit, MP_OBJ_FROM_PTR(&tt_trainer_deinit_obj));
    tt_store(dict, MP_QSTR___enter__, MP_OBJ_FROM_PTR(&tt_trainer_enter_obj));
    tt_store(dict, MP_QSTR___exit__, MP_OBJ_FROM_PTR(&tt_trainer_exit_obj));
    tt_store(dict, MP_QSTR_name, tt_text(TT_MODEL_NAME));
    tt_store(dict, MP_QSTR_input_shape, tt_shape(input_shape, MP_ARRAY_SIZE(input_shape)));
    tt_store(dict, MP_QSTR_input_scale, tt_float(TT_INPUT_SCALE_BITS));
    tt_store(dict, MP_QSTR_input_zero_point, MP_OBJ_NEW_SMALL_INT(TT_INPUT_ZERO));
    tt_store(dict, MP_QSTR_output_shape, tt_shape(output_shape, MP_ARRAY_SIZE(output_shape)));
    tt_store(dict, MP_QSTR_output_scale, tt_float(TT_OUTPUT_SCALE_BITS));
    tt_store(dict, MP_QSTR_output_zero_point, MP_OBJ_NEW_SMALL_INT(TT_OUTPUT_ZERO));
    tt_store(dict, MP_QSTR_classes, MP_OBJ_NEW_SMALL_INT(TT_CLASSES));
    tt_store(dict, MP_QSTR_ram, mp_obj_new_int_from_uint(TT_ARENA_BYTES + TT_STATE_BYTES));
    return dict;
}

static void tt_trainer_type_init(mp_obj_full_type_t *type) {
    type->base.type = &mp_type_type;
    type->flags = MP_TYPE_FLAG_NONE;
    type->name = MP_QSTR_Trainer;
    MP_OBJ_TYPE_SET_SLOT(type, make_new, tt_trainer_make_new, 0);
    MP_OBJ_TYPE_SET_SLOT(type, print, tt_trainer_print, 1);
    MP_OBJ_TYPE_SET_SLOT(type, attr, tt_trainer_attr, 2);
    MP_OBJ_TYPE_SET_SLOT(type, locals_dict, MP_OBJ_TO_PTR(tt_trainer_dict()), 3);
}

#if MICROPY_ENABLE_DYNRUNTIME
mp_obj_t mpy_init(mp_obj_fun_bc_t *self, size_t n_args, size_t n_kw, mp_obj_t *args);

/* The type lives on the heap, held by the module and by its instances: the module has neither bss
 * nor initialised data, with which the loaders of some targets have trouble. */
mp_obj_t mpy_init(mp_obj_fun_bc_t *self, size_t n_args, size_t n_kw, mp_obj_t *args) {
    /* clang-format off */
    MP_DYNRUNTIME_INIT_ENTRY
    (void)n_args;
    (void)n_kw;
    (void)args;
    /* clang-format on */
    mp_obj_full_type_t *type = m_malloc(sizeof(mp_obj_full_type_t));
    memset(type, 0, sizeof(mp_obj_full_type_t));
    tt_trainer_type_init(type);
    mp_store_global(MP_QSTR_Trainer, MP_OBJ_FROM_PTR(type));
    MP_DYNRUNTIME_INIT_EXIT
}
#else
/* Methods and constants are made at the first import after a (soft) reset, like those of the native
 * module, and live on the heap: what holds them is static and has to be a root. */
#if !MICROPY_MODULE_BUILTIN_INIT
#error "tinytrain needs MICROPY_MODULE_BUILTIN_INIT (MICROPY_CONFIG_ROM_LEVEL_EXTRA_FEATURES)"
#endif

static mp_obj_full_type_t tt_trainer_type;
MP_REGISTER_ROOT_POINTER(mp_obj_t tinytrain_trainer_dict);

static mp_obj_t tt_module_init(void) {
    tt_trainer_type_init(&tt_trainer_type);
    MP_STATE_VM(tinytrain_trainer_dict) =
        MP_OBJ_FROM_PTR(MP_OBJ_TYPE_GET_SLOT(&tt_trainer_type, locals_dict));
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_0(tt_module_init_obj, tt_module_init);

static const mp_rom_map_elem_t tt_module_table[] = {
    {MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR_tinytrain)},
    {MP_ROM_QSTR(MP_QSTR___init__), MP_ROM_PTR(&tt_module_init_obj)},
    {MP_ROM_QSTR(MP_QSTR_Trainer), MP_ROM_PTR(&tt_trainer_type)},
};
static MP_DEFINE_CONST_DICT(tt_module_globals, tt_module_table);

const mp_obj_module_t tt_user_cmodule = {
    .base = {&mp_type_module},
    .globals = (mp_obj_dict_t *)&tt_module_globals,
};
MP_REGISTER_MODULE(MP_QSTR_tinytrain, tt_user_cmodule);
#endif
