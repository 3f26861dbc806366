/* A step in slices: an iterator for loops, and for `await`. */
#include "binding.h"

#if TT_LOSS != TT_LOSS_NONE

#define TT_LONGEST (1 << 22)     /* microseconds of a slice */
#define TT_TICKS_MASK 0x3fffffff /* ticks_us wraps at a power of two that is 2^30 or more */

typedef struct {
    mp_obj_base_t base;
    mp_obj_t trainer;
    mp_arg_val_t given[TT_ARGUMENTS]; /* x and y are asked for their memory again in each slice */
    mp_obj_t sleep_ms;                /* of asyncio, for await; else MP_OBJ_NULL */
    uint32_t turn;                    /* the Trainer's: while it stays, the step goes on */
    int32_t budget;                   /* microseconds, at most TT_LONGEST */
    int32_t units;                    /* of the next part */
    bool done;
} tt_slices;

static tt_trainer *tt_still_running(tt_slices *self) {
    tt_trainer *trainer = tt_open_trainer(self->trainer);
    if (trainer->turn != self->turn) {
        tt_give_up("step given up: the Trainer was used for something else");
    }
    return trainer;
}

static int32_t tt_now(const tt_trainer *trainer) {
    mp_obj_t now = mp_call_function_n_kw(trainer->ticks_us, 0, 0, NULL);
    return (int32_t)(MP_OBJ_SMALL_INT_VALUE(now) & TT_TICKS_MASK);
}

/* n / d, at least 0 and at most 2^30. */
static int32_t tt_quotient(int32_t n, int32_t d) {
    uint32_t q = 0, rest = 0;
    for (int bit = 31; n > 0 && bit >= 0; bit--) { /* Cortex-M0 has no division */
        rest = (rest << 1) | (((uint32_t)n >> bit) & 1u);
        q <<= 1;
        if (rest >= (uint32_t)d) {
            rest -= (uint32_t)d;
            q |= 1u;
        }
    }
    return (int32_t)q;
}

/* Of a call of unknown speed. With a budget of 0 a slice is one call, all of it. */
static int32_t tt_first_units(const tt_slices *self) {
    return self->budget == 0 ? INT32_MAX : 1;
}

/* One slice; whether the step is done. How long a piece takes is not known before, and not the same
 * for all pieces of a call: each part takes half of the time that is left at the speed of the part
 * before. */
static bool tt_slice(tt_slices *self) {
    tt_trainer *trainer = tt_still_running(self);
    int32_t last = tt_now(trainer), left = self->budget;
    for (;;) {
        int32_t before = trainer->run.part.at;
        if (tt_step_some(&trainer->run, self->units)) {
            return true;
        }
        int32_t now = tt_now(trainer);
        tt_still_running(self);
        int32_t took = ((now - last) & TT_TICKS_MASK) + 1;
        last = now;
        left -= took;
        if (trainer->run.part.at == 0) { /* the next call, of unknown speed */
            self->units = tt_first_units(self);
            if (left <= self->budget >> 2) {
                return false;
            }
            continue;
        }
        int32_t did = trainer->run.part.at - before; /* at a row's end fewer than asked for */
        int32_t each = tt_quotient(took < 1 << 22 ? took << 8 : 1 << 30, did) + 1;
        int32_t units = tt_quotient(left << 7, each); /* left <= 2^22 */
        if (units == 0) {
            units = tt_quotient(self->budget << 7, each);
            self->units = units > 0 ? units : 1;
            return false;
        }
        self->units = units;
    }
}

/* Back in the queue of asyncio's tasks, as `await asyncio.sleep_ms(0)` puts it. */
static void tt_sleep(tt_slices *self) {
    mp_obj_t zero = MP_OBJ_NEW_SMALL_INT(0);
    mp_obj_t sleep = mp_call_function_n_kw(self->sleep_ms, 1, 0, &zero);
    mp_call_function_n_kw(mp_load_attr(sleep, MP_QSTR___next__), 0, 0, NULL);
}

/* None after each slice, after the last one the loss; awaited, the loss is the result. */
static mp_obj_t tt_slices_next(mp_obj_t self_in) {
    tt_slices *self = MP_OBJ_TO_PTR(self_in);
    if (self->done) {
        return MP_OBJ_STOP_ITERATION;
    }
    tt_trainer *trainer = tt_still_running(self);
    tt_goal goal = tt_get_goal(self->given);
    trainer->run.label = goal.label;
    trainer->run.target = goal.target;
    self->done = tt_slice(self);
    if (!self->done) {
        if (self->sleep_ms != MP_OBJ_NULL) {
            tt_sleep(self);
        }
        return mp_const_none;
    }
    mp_obj_t loss = tt_loss(trainer);
    if (self->sleep_ms != MP_OBJ_NULL) {
        tt_raise(MP_QSTR_StopIteration, loss);
    }
    return loss;
}

void tt_slices_type_init(mp_obj_full_type_t *type) {
    type->base.type = &mp_type_type;
    type->flags = MP_TYPE_FLAG_ITER_IS_ITERNEXT;
    type->name = MP_QSTR_Slices;
    MP_OBJ_TYPE_SET_SLOT(type, iter, tt_slices_next, 0);
}

static int32_t tt_get_budget(mp_obj_t value) {
    if (!mp_obj_is_small_int(value)) {
        tt_refuse_type("budget_us: int expected");
    }
    mp_int_t budget = MP_OBJ_SMALL_INT_VALUE(value);
    if (budget < 0) {
        tt_refuse("budget_us: at least 0 expected");
    }
    return (int32_t)(budget < TT_LONGEST ? budget : TT_LONGEST);
}

/* (x, y, budget_us=2000, *, latent=False); y may be missing where the model can learn towards x. */
static mp_obj_t tt_make_slices(size_t n_args, const mp_obj_t *args, mp_map_t *named, bool awaited) {
    tt_trainer *trainer = tt_open_trainer(args[0]);
    tt_slices *self = mp_obj_malloc(tt_slices, tt_slices_type(trainer));
    tt_get_arguments(
        n_args, args, named, MP_QSTR_x, MP_QSTR_y, TT_LEAST_GOAL, TT_BUDGET + 1, self->given);
    self->trainer = args[0];
    self->budget = tt_get_budget(self->given[TT_BUDGET].u_obj);
    self->units = tt_first_units(self);
    self->done = false;
    self->sleep_ms = MP_OBJ_NULL;
    if (awaited) {
        self->sleep_ms = tt_import(MP_QSTR_asyncio, MP_QSTR_sleep_ms);
    }
    tt_goal goal = tt_get_goal(self->given);
    trainer = tt_use_trainer(args[0]);
    tt_begin(trainer, self->given, goal, 0);
    self->turn = trainer->turn;
    return MP_OBJ_FROM_PTR(self);
}

static mp_obj_t tt_trainer_slices(size_t n_args, const mp_obj_t *args, mp_map_t *named) {
    return tt_make_slices(n_args, args, named, false);
}
MP_DEFINE_CONST_FUN_OBJ_KW(tt_trainer_slices_obj, 1, tt_trainer_slices);

static mp_obj_t tt_trainer_astep(size_t n_args, const mp_obj_t *args, mp_map_t *named) {
    return tt_make_slices(n_args, args, named, true);
}
MP_DEFINE_CONST_FUN_OBJ_KW(tt_trainer_astep_obj, 1, tt_trainer_astep);

#endif
