/* How well the model does on labelled examples. */
#include "binding.h"

#if TT_LOSS != TT_LOSS_NONE

#if MICROPY_ENABLE_DYNRUNTIME
#define tt_getiter(object, buffer) (mp_fun_table.getiter((object), (buffer)))
#define tt_iternext(iterator, buffer) (mp_fun_table.iternext((buffer)))
#define tt_unpack(sequence, count, items)                                                          \
    (mp_fun_table.unpack_sequence((sequence), (count), (items)))
#else
#define tt_getiter(object, buffer) (mp_getiter((object), (buffer)))
#define tt_iternext(iterator, buffer) (mp_iternext((iterator)))
#define tt_unpack(sequence, count, items) (mp_unpack_sequence((sequence), (count), (items)))
#endif

/* What is counted over the examples: of `count` labels `right` ones, or a sum of losses. */
typedef struct {
    uint32_t count, right;
    uint32_t low, high;
} tt_score;

static void tt_judge(tt_trainer *self, const mp_arg_val_t *given, tt_score *score) {
    tt_goal goal = tt_get_goal(given);
#if TT_LOSS == TT_LOSS_MSE
    tt_begin(self, given, goal, 0);
    tt_step_until(&self->run, TT_LOSS_CALLS);
    score->low += (uint32_t)self->run.loss;
    score->high += score->low < (uint32_t)self->run.loss;
    score->count++;
#elif TT_LOSS == TT_LOSS_SOFTMAX
    score->right += tt_largest(tt_run_predict(self, given)) == goal.label;
    score->count++;
#else
    const int8_t *output = tt_run_predict(self, given);
    for (size_t i = 0; i < TT_CLASSES; i++) {
        score->right += (output[i] > TT_OUTPUT_ZERO) == (goal.target[i] != 0);
    }
    score->count += TT_CLASSES;
#endif
}

static mp_obj_t tt_result(const tt_score *score) {
    if (score->count == 0) {
        tt_refuse("evaluate: no examples");
    }
#if TT_LOSS == TT_LOSS_MSE
    /* the mean fits 31 bits, as every loss does */
    uint32_t rest = score->high, mean = 0;
    for (int bit = 31; bit >= 0; bit--) {
        uint32_t carry = rest >> 31;
        rest = (rest << 1) | ((score->low >> bit) & 1u);
        mean <<= 1;
        if (carry != 0 || rest >= score->count) {
            rest -= score->count;
            mean |= 1u;
        }
    }
    uint32_t bits = tt_model_loss_bits((int32_t)mean);
    return tt_float(&bits);
#else
    return mp_binary_op(MP_BINARY_OP_TRUE_DIVIDE, mp_obj_new_int_from_uint(score->right),
        mp_obj_new_int_from_uint(score->count));
#endif
}

/* examples: what gives (x, y) pairs. Its code runs in between and may do anything to the Trainer. */
static mp_obj_t tt_trainer_evaluate(size_t n_args, const mp_obj_t *args, mp_map_t *named) {
    mp_arg_val_t given[TT_ARGUMENTS];
    tt_open_trainer(args[0]);
    tt_get_arguments(n_args, args, named, MP_QSTR_examples, MP_QSTR_y, 1, 1, given);
    mp_obj_iter_buf_t buffer;
    mp_obj_t iterator = tt_getiter(given[TT_X].u_obj, &buffer);
    (void)iterator;
    tt_score score = {0, 0, 0, 0};
    mp_obj_t example;
    while ((example = tt_iternext(iterator, &buffer)) != MP_OBJ_STOP_ITERATION) {
        mp_obj_t pair[2]; /* the last one first */
        tt_unpack(example, 2, pair);
        given[TT_X].u_obj = pair[1];
        given[TT_Y].u_obj = pair[0];
        tt_judge(tt_use_trainer(args[0]), given, &score);
    }
    return tt_result(&score);
}
MP_DEFINE_CONST_FUN_OBJ_KW(tt_trainer_evaluate_obj, 1, tt_trainer_evaluate);

#endif
