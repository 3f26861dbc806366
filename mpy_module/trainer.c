/* A Trainer: how it is made, and its methods. */
#include <string.h>

#include "binding.h"

static void tt_next_turn(tt_trainer *self) {
#if TT_LOSS != TT_LOSS_NONE
    self->turn++;
#else
    (void)self;
#endif
}

/* For what gives the state a new value as a whole. */
static tt_trainer *tt_any_state(mp_obj_t self_in) {
    tt_trainer *self = MP_OBJ_TO_PTR(self_in);
    if (self->memory == NULL) {
        tt_refuse("Trainer is closed");
    }
    return self;
}

tt_trainer *tt_open_trainer(mp_obj_t self_in) {
    tt_trainer *self = tt_any_state(self_in);
#if TT_LOSS != TT_LOSS_NONE
    if (self->torn) {
        tt_refuse("load was interrupted: load again, or reset");
    }
#endif
    return self;
}

tt_trainer *tt_use_trainer(mp_obj_t self_in) {
    tt_trainer *self = tt_open_trainer(self_in);
    tt_next_turn(self);
    return self;
}

static void tt_put_input(tt_trainer *self, mp_obj_t x) {
    tt_copy(self->memory + TT_ARENA_AT + TT_INPUT_OFFSET, tt_get_input(x), TT_INPUT_BYTES);
}

#if TT_LATENT_BYTES
/* Copy a latent to an offset in the arena. */
static void tt_put_latent(tt_trainer *self, mp_obj_t x, size_t offset) {
    const void *bytes = tt_get_bytes(x, MP_QSTR_x, TT_LATENT_BYTES, MP_BUFFER_READ);
    tt_copy(self->memory + TT_ARENA_AT + offset, bytes, TT_LATENT_BYTES);
}
#endif

const int8_t *tt_run_predict(tt_trainer *self, const mp_arg_val_t *given) {
    uint8_t *arena = self->memory + TT_ARENA_AT;
    const int8_t *output = (const int8_t *)(arena + TT_OUTPUT_OFFSET);
#if TT_LATENT_BYTES
    if (given[TT_LATENT].u_bool) {
        tt_put_latent(self, given[TT_X].u_obj, TT_LATENT_OFFSET);
        tt_model_decode(self->weights, self->memory, arena);
        return output;
    }
#endif
    tt_put_input(self, given[TT_X].u_obj);
    tt_model_predict(self->weights, self->memory, arena);
    return output;
}

mp_obj_t tt_trainer_make_new(
    const mp_obj_type_t *type, size_t n_args, size_t n_kw, const mp_obj_t *args) {
    mp_arg_check_num(n_args, n_kw, TT_BUILTIN_WEIGHTS ? 0 : 1, 1, false);
    tt_trainer *self = tt_allocate(sizeof(tt_trainer));
    self->base.type = type;
    self->factors[TT_LR] = TT_DEFAULT_RATE_BITS;
    tt_load_weights(self, n_args, args);
#if TT_LOSS != TT_LOSS_NONE
    tt_rate_set(&self->rate, TT_DEFAULT_RATE_BITS);
    self->ticks_us = tt_import(MP_QSTR_time, MP_QSTR_ticks_us);
#endif
    self->memory = tt_allocate(TT_MEMORY_BYTES);
    tt_model_reset(self->weights, self->memory);
    return MP_OBJ_FROM_PTR(self);
}

#if TT_LOSS != TT_LOSS_NONE
void tt_begin(tt_trainer *self, const mp_arg_val_t *given, tt_goal goal, int32_t accumulate) {
    int32_t first = 0; /* call */
#if TT_LATENT_BYTES
    if (given[TT_LATENT].u_bool) {
        tt_put_latent(self, given[TT_X].u_obj, TT_LATENT_STEP_OFFSET);
        first = TT_LATENT_CALLS;
    } else
#endif
    {
        tt_put_input(self, given[TT_X].u_obj);
    }
    uint8_t *arena = self->memory + TT_ARENA_AT;
    tt_step_begin(&self->run, self->weights, self->memory, arena, &self->rate, accumulate);
    self->run.label = goal.label;
    self->run.target = goal.target;
    self->run.call = first;
}

mp_obj_t tt_loss(const tt_trainer *self) {
    uint32_t bits = tt_model_loss_bits(self->run.loss);
    return tt_float(&bits);
}

static mp_obj_t tt_learn(size_t n_args, const mp_obj_t *args, mp_map_t *named, int32_t accumulate) {
    mp_arg_val_t given[TT_ARGUMENTS];
    tt_trainer *self = tt_use_trainer(args[0]);
    tt_get_arguments(n_args, args, named, MP_QSTR_x, MP_QSTR_y, TT_LEAST_GOAL, 2, given);
    tt_begin(self, given, tt_get_goal(given), accumulate);
    tt_step_until(&self->run, TT_STEP_CALLS);
    return tt_loss(self);
}
#endif

static mp_obj_t tt_trainer_step(size_t n_args, const mp_obj_t *args, mp_map_t *named) {
#if TT_LOSS != TT_LOSS_NONE
    return tt_learn(n_args, args, named, 0);
#else
    (void)n_args;
    (void)named;
    tt_open_trainer(args[0]);
    tt_refuse("built to predict only; build with --update");
#endif
}
static MP_DEFINE_CONST_FUN_OBJ_KW(tt_trainer_step_obj, 1, tt_trainer_step);

#if TT_BATCH
static mp_obj_t tt_trainer_accumulate(size_t n_args, const mp_obj_t *args, mp_map_t *named) {
    return tt_learn(n_args, args, named, 1);
}
static MP_DEFINE_CONST_FUN_OBJ_KW(tt_trainer_accumulate_obj, 1, tt_trainer_accumulate);

static mp_obj_t tt_trainer_apply(mp_obj_t self_in) {
    tt_trainer *self = tt_use_trainer(self_in);
    tt_model_apply(self->weights, self->memory, &self->rate);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(tt_trainer_apply_obj, tt_trainer_apply);
#endif

static void *tt_get_out(mp_obj_t out, size_t size) {
    return out == mp_const_none ? NULL : tt_get_bytes(out, MP_QSTR_out, size, MP_BUFFER_WRITE);
}

/* Without `out` the result is a new array('b'); with it nothing is allocated. */
static mp_obj_t tt_give(mp_obj_t out, const int8_t *data, size_t size) {
    if (out != mp_const_none) {
        tt_copy(tt_get_out(out, size), data, size);
        return out;
    }
    mp_obj_t array = tt_import(MP_QSTR_array, MP_QSTR_array);
    mp_obj_t values[] = {MP_OBJ_NEW_QSTR(MP_QSTR_b), mp_obj_new_bytes((const byte *)data, size)};
    return mp_call_function_n_kw(array, 2, 0, values);
}

int32_t tt_largest(const int8_t *output) {
    int32_t best = 0;
    for (int32_t i = 1; i < (int32_t)TT_OUTPUT_BYTES; i++) {
        if (output[i] > output[best]) {
            best = i;
        }
    }
    return best;
}

static mp_obj_t tt_infer(size_t n_args, const mp_obj_t *args, mp_map_t *named, bool classify) {
    mp_arg_val_t given[TT_ARGUMENTS];
    tt_trainer *self = tt_use_trainer(args[0]);
    tt_get_arguments(
        n_args, args, named, MP_QSTR_x, MP_QSTR_out, 1, classify ? TT_OUT : TT_OUT + 1, given);
    mp_obj_t out = classify ? mp_const_none : given[TT_OUT].u_obj;
    tt_get_out(out, TT_OUTPUT_BYTES); /* is refused before anything runs */
    const int8_t *output = tt_run_predict(self, given);
    if (classify) {
        return MP_OBJ_NEW_SMALL_INT(tt_largest(output));
    }
    return tt_give(out, output, TT_OUTPUT_BYTES);
}

static mp_obj_t tt_trainer_predict(size_t n_args, const mp_obj_t *args, mp_map_t *named) {
    return tt_infer(n_args, args, named, false);
}
static MP_DEFINE_CONST_FUN_OBJ_KW(tt_trainer_predict_obj, 1, tt_trainer_predict);

static mp_obj_t tt_trainer_classify(size_t n_args, const mp_obj_t *args, mp_map_t *named) {
    return tt_infer(n_args, args, named, true);
}
static MP_DEFINE_CONST_FUN_OBJ_KW(tt_trainer_classify_obj, 1, tt_trainer_classify);

/* What the frozen layers make of x, for `latent=True`. */
static mp_obj_t tt_trainer_encode(size_t n_args, const mp_obj_t *args) {
#if TT_LATENT_BYTES
    tt_trainer *self = tt_use_trainer(args[0]);
    mp_obj_t out = n_args > 2 ? args[2] : mp_const_none;
    tt_get_out(out, TT_LATENT_BYTES);
    uint8_t *arena = self->memory + TT_ARENA_AT;
    tt_put_input(self, args[1]);
    tt_model_encode(self->weights, arena);
    return tt_give(out, (const int8_t *)(arena + TT_LATENT_OFFSET), TT_LATENT_BYTES);
#else
    (void)n_args;
    tt_open_trainer(args[0]);
    tt_refuse(TT_NO_LATENT);
#endif
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(tt_trainer_encode_obj, 2, 3, tt_trainer_encode);

static mp_obj_t tt_trainer_reset(mp_obj_t self_in) {
    tt_trainer *self = tt_any_state(self_in);
    tt_next_turn(self);
    tt_model_reset(self->weights, self->memory);
#if TT_LOSS != TT_LOSS_NONE
    self->torn = false;
#endif
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(tt_trainer_reset_obj, tt_trainer_reset);

#if TT_LOSS != TT_LOSS_NONE
static mp_obj_t tt_trainer_save(mp_obj_t self_in, mp_obj_t where) {
    return tt_save(tt_open_trainer(self_in), where);
}
static MP_DEFINE_CONST_FUN_OBJ_2(tt_trainer_save_obj, tt_trainer_save);

static mp_obj_t tt_trainer_load(mp_obj_t self_in, mp_obj_t where) {
    return tt_load(tt_any_state(self_in), where);
}
static MP_DEFINE_CONST_FUN_OBJ_2(tt_trainer_load_obj, tt_trainer_load);
#endif

/* The memory is left to the garbage collector: views of `state` may still refer to it. */
static mp_obj_t tt_trainer_deinit(mp_obj_t self_in) {
    tt_trainer *self = MP_OBJ_TO_PTR(self_in);
    tt_next_turn(self);
    self->keep = self->memory = NULL;
    self->weights = NULL;
#if TT_LOSS != TT_LOSS_NONE
    tt_fill(&self->run, 0, sizeof(self->run));
#endif
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

/* Methods, and what is the same for every Trainer of this build. */
mp_obj_t tt_trainer_dict(void) {
    static const int32_t input_shape[] = {TT_LENGTH(TT_INPUT_SHAPE), TT_INPUT_SHAPE};
    static const int32_t output_shape[] = {TT_LENGTH(TT_OUTPUT_SHAPE), TT_OUTPUT_SHAPE};
    static const void *const values[] = {
#if TT_LOSS != TT_LOSS_NONE
        &tt_trainer_save_obj,
        &tt_trainer_load_obj,
        &tt_trainer_evaluate_obj,
        &tt_trainer_slices_obj,
        &tt_trainer_astep_obj,
#define TT_TRAINING "OOOOO"
#else
#define TT_TRAINING
#endif
#if TT_BATCH
        &tt_trainer_accumulate_obj,
        &tt_trainer_apply_obj,
#define TT_BATCHES "OO"
#else
#define TT_BATCHES
#endif
        &tt_trainer_step_obj,
        &tt_trainer_predict_obj,
        &tt_trainer_classify_obj,
        &tt_trainer_encode_obj,
        &tt_trainer_quantize_obj,
        &tt_trainer_info_obj,
        &tt_trainer_reset_obj,
        &tt_trainer_deinit_obj,
        &tt_trainer_enter_obj,
        &tt_trainer_exit_obj,
        TT_MODEL_NAME,
        input_shape,
        TT_WORD(TT_INPUT_SCALE_BITS),
        TT_WORD(TT_INPUT_ZERO),
        output_shape,
        TT_WORD(TT_OUTPUT_SCALE_BITS),
        TT_WORD(TT_OUTPUT_ZERO),
        TT_WORD(TT_CLASSES),
        TT_WORD(TT_LATENT_BYTES),
        TT_WORD(TT_ARENA_BYTES + TT_STATE_BYTES),
    };
    const qstr names[] = {
#if TT_LOSS != TT_LOSS_NONE
        MP_QSTR_save,
        MP_QSTR_load,
        MP_QSTR_evaluate,
        MP_QSTR_slices,
        MP_QSTR_astep,
#endif
#if TT_BATCH
        MP_QSTR_accumulate,
        MP_QSTR_apply,
#endif
        MP_QSTR_step,
        MP_QSTR_predict,
        MP_QSTR_classify,
        MP_QSTR_encode,
        MP_QSTR_quantize,
        MP_QSTR_info,
        MP_QSTR_reset,
        MP_QSTR_deinit,
        MP_QSTR___enter__,
        MP_QSTR___exit__,
        MP_QSTR_name,
        MP_QSTR_input_shape,
        MP_QSTR_input_scale,
        MP_QSTR_input_zero_point,
        MP_QSTR_output_shape,
        MP_QSTR_output_scale,
        MP_QSTR_output_zero_point,
        MP_QSTR_classes,
        MP_QSTR_latent_size,
        MP_QSTR_ram,
    };
    mp_obj_t dict = mp_obj_new_dict(MP_ARRAY_SIZE(names));
    tt_store_all(dict, TT_TRAINING TT_BATCHES "OOOOOOOOOOstfitfiIII", names, values);
    return dict;
}
