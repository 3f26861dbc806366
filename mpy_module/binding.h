/* What the files of the binding share; tinytrain.c says what they make together. */
#ifndef TT_BINDING_H
#define TT_BINDING_H

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

/* As memcpy and memset; a native module reaches them without functions of its own in between. */
#if MICROPY_ENABLE_DYNRUNTIME
#define tt_copy(to, from, bytes) (mp_fun_table.memmove_((to), (from), (bytes)))
#define tt_fill(to, value, bytes) (mp_fun_table.memset_((to), (value), (bytes)))
#else
#define tt_copy(to, from, bytes) (memcpy((to), (from), (bytes)))
#define tt_fill(to, value, bytes) (memset((to), (value), (bytes)))
#endif

/* A number in a table of values. */
#define TT_WORD(n) ((const void *)(uintptr_t)(n))

#define TT_LENGTH(...) (sizeof((const int32_t[]){__VA_ARGS__}) / sizeof(int32_t))

#define TT_STRING(...) TT_STRING_OF(__VA_ARGS__)
#define TT_STRING_OF(...) #__VA_ARGS__

#define TT_DEFAULT_RATE_BITS 0x3c23d70au /* 0.01 */
#define TT_SIGN_BIT 0x80000000u
#define TT_ONE_BITS 0x3f800000u
#define TT_INFINITY_BITS 0x7f800000u

/* the arena follows the state in one block; both start on a word */
#define TT_ARENA_AT (((size_t)(TT_STATE_BYTES) + 3u) & ~(size_t)3u)
#define TT_MEMORY_BYTES (TT_ARENA_AT + (size_t)(TT_ARENA_BYTES))
#define TT_FILE_BYTES (sizeof(tt_weights_header) + (size_t)(TT_WEIGHTS_BYTES))

/* Numbers that the optimizer has, as far as the build has what they are for; lr always. */
enum {
    TT_LR,
#if TT_MOMENTUM
    TT_AT_MOMENTUM,
#endif
#if TT_DECAY
    TT_AT_DECAY,
#endif
    TT_FACTORS
};

typedef struct {
    mp_obj_base_t base;
    void *keep;             /* the object that owns the weights, or the block they were read into */
    const uint8_t *weights; /* payload: TT_WEIGHTS_BYTES, aligned to 4 bytes */
    uint8_t *memory;        /* state, then arena; NULL once closed */
    bool in_place;          /* the weights lie where the caller has them, not in a copy of a file */
#if TT_LOSS != TT_LOSS_NONE
    bool torn;         /* a load was interrupted: the state is a mixture */
    uint32_t turn;     /* counts what uses the arena or changes parameters */
    tt_rate rate;      /* as set; a step has its own copy */
    tt_run run;        /* the step on its way */
    mp_obj_t ticks_us; /* of time: to import it again may search the file system */
#endif
    uint32_t factors[TT_FACTORS]; /* IEEE 754 singles */
} tt_trainer;

/* What a step learns towards, as tt_run has it. */
typedef struct {
    int32_t label;
    const int8_t *target;
} tt_goal;

/* Places of the arguments that methods have in common: x, y (or out), and so on; latent: whether x is
 * one. */
enum {
    TT_X,
    TT_Y,
    TT_OUT = TT_Y,
#if TT_LOSS != TT_LOSS_NONE
    TT_BUDGET,
#endif
    TT_LATENT,
    TT_ARGUMENTS
};

/* Only a model that can learn towards its input does without y. */
#define TT_LEAST_GOAL ((size_t)(TT_LOSS == TT_LOSS_MSE ? 1 : 2))

#define TT_NO_LATENT "no latent: no frozen layers come first"

/* ---- support.c: exceptions, memory, what the two builds name differently ---------------------- */

mp_obj_t tt_import(qstr module, qstr name);
mp_obj_t tt_builtin(qstr name);
mp_obj_t tt_text(const char *text);
mp_obj_t tt_format(const char *format, size_t count, const mp_obj_t *values);
mp_obj_t tt_float(const uint32_t *bits);

/* Store values under names. kinds has a letter for each: O an object, s a text, t the length and the
 * numbers of a tuple (int32_t each), f the bits of a float, i and I a number with or without sign. */
void tt_store_all(mp_obj_t dict, const char *kinds, const qstr *names, const void *const *values);

TT_NORETURN void tt_raise(qstr exception, mp_obj_t message);
TT_NORETURN void tt_refuse(const char *text);      /* ValueError */
TT_NORETURN void tt_refuse_type(const char *text); /* TypeError */
TT_NORETURN void tt_give_up(const char *text);     /* RuntimeError */
TT_NORETURN void tt_refuse_size(qstr name, size_t expected, size_t got);
TT_NORETURN void tt_refuse_buffer(qstr name, const char *expected);

/* A block of the heap, of zeros, or a MemoryError that says how much was needed and how much there
 * is. */
void *tt_allocate(size_t bytes);

/* ---- weights_file.c --------------------------------------------------------------------------------- */

/* CRC-32 (IEEE 802.3) of what has `crc` followed by data, as zlib's; 0 to begin with. */
uint32_t tt_crc32(uint32_t crc, const uint8_t *data, size_t length);

/* Read as much of a file as there is, at most `length`; returns how much that was. */
size_t tt_read(mp_obj_t file, uint8_t *to, size_t length);

/* A function of the module os. */
mp_obj_t tt_call_os(qstr function, size_t count, const mp_obj_t *args);

/* Whether a folder has something of that name; OSError if there is no such folder. */
bool tt_is_listed(mp_obj_t folder, mp_obj_t name);

/* args: a path, a buffer or, with weights in the firmware, nothing. */
void tt_load_weights(tt_trainer *self, size_t n_args, const mp_obj_t *args);

/* ---- checkpoint.c -------------------------------------------------------------------------------- */

/* where: a path or a block device. Both return a tuple: which slot, and its sequence number. */
mp_obj_t tt_save(tt_trainer *self, mp_obj_t where);
mp_obj_t tt_load(tt_trainer *self, mp_obj_t where);

/* ---- arguments.c: checked arguments; what is wrong raises ----------------------------------------- */

bool tt_is_str(mp_obj_t object);

/* The type code of a buffer that is no str; 0: it is none, or cannot be had for that access. */
int tt_get_buffer(mp_obj_t object, mp_buffer_info_t *view, mp_uint_t access);

/* A buffer of exactly that many bytes or int8. */
void *tt_get_bytes(mp_obj_t object, qstr name, size_t size, mp_uint_t access);

/* The model's input: TT_INPUT_BYTES of int8, or of indices in their range, perhaps not aligned. */
const void *tt_get_input(mp_obj_t x);

/* The arguments of a method: `least` to `most` of first, second and budget_us, and `latent`, which
 * has to be named. given: TT_ARGUMENTS of them; what was not given is None, 2000 and false. */
void tt_get_arguments(size_t n_args, const mp_obj_t *args, mp_map_t *named, qstr first, qstr second,
    size_t least, size_t most, mp_arg_val_t *given);

/* y, for one example; not in builds that only predict. */
tt_goal tt_get_goal(const mp_arg_val_t *given);

/* ---- trainer.c, attributes.c: slots of the type ---------------------------------------------------- */

/* The Trainer behind an object; ValueError if it is closed, or its state is torn. */
tt_trainer *tt_open_trainer(mp_obj_t self_in);

/* The same, to use its arena or to change its parameters: a step taken in slices is given up. */
tt_trainer *tt_use_trainer(mp_obj_t self_in);

#if TT_LOSS != TT_LOSS_NONE
/* Begin a step for checked arguments: x is copied into the arena. */
void tt_begin(tt_trainer *self, const mp_arg_val_t *given, tt_goal goal, int32_t accumulate);

/* Of the step that is done. */
mp_obj_t tt_loss(const tt_trainer *self);
#endif

/* The model's output for x, in the arena; index of the largest of its values. */
const int8_t *tt_run_predict(tt_trainer *self, const mp_arg_val_t *given);
int32_t tt_largest(const int8_t *output);

/* What the module has of types, one block that begins with the Trainer's. */
typedef struct {
    mp_obj_full_type_t trainer, slices;
} tt_types;

static inline const mp_obj_type_t *tt_slices_type(const tt_trainer *trainer) {
    return (const mp_obj_type_t *)(const void *)&(
        (const tt_types *)(const void *)trainer->base.type)
        ->slices;
}

mp_obj_t tt_trainer_make_new(
    const mp_obj_type_t *type, size_t n_args, size_t n_kw, const mp_obj_t *args);
mp_obj_t tt_trainer_dict(void);
void tt_trainer_attr(mp_obj_t self_in, qstr attr, mp_obj_t *dest);
void tt_trainer_print(const mp_print_t *print, mp_obj_t self_in, mp_print_kind_t kind);
extern const mp_obj_fun_builtin_fixed_t tt_trainer_info_obj;

/* ---- evaluate.c, quantize.c, slices.c: more methods ------------------------------------------------ */

extern const mp_obj_fun_builtin_fixed_t tt_trainer_quantize_obj;
#if TT_LOSS != TT_LOSS_NONE
extern const mp_obj_fun_builtin_var_t tt_trainer_evaluate_obj;
extern const mp_obj_fun_builtin_var_t tt_trainer_slices_obj, tt_trainer_astep_obj;
void tt_slices_type_init(mp_obj_full_type_t *type);
#endif

#endif
