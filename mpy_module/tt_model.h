/* The contract between generated code (model.h, model.c) and whoever runs it: the MicroPython
 * binding beside this file, and the simulator on the host.
 *
 * Memory: `weights` is the payload of model.ttw (frozen weights and per-channel constants, never
 * written, aligned to 4 bytes), `state` the trained parameters, `arena` everything else. The runner
 * provides all three; nothing here allocates, keeps state between calls, or decides. */
#ifndef TT_MODEL_H
#define TT_MODEL_H

#include "tinytrain.h"
#include "tinytrain_parts.h"
#include "model.h" /* generated */

#if TT_MODEL_ABI != TT_ABI
#error "model.c was generated for other kernels: run `tinytrain build` again"
#endif

#if TT_MODEL_GRADIENT_BITS != TT_GRADIENT_BITS
#error "compile all sources with -DTT_GRADIENT_BITS=... as model.h says (TT_MODEL_GRADIENT_BITS)"
#endif

/* What model.h defines, as plain integers unless said otherwise:
 *   TT_MODEL_NAME          string literal
 *   TT_MODEL_ABI           TT_ABI of the kernels that the code was generated for
 *   TT_MODEL_GRADIENT_BITS 16 or 8: TT_GRADIENT_BITS, with which all sources have to be compiled
 *   TT_MODEL_HASH_LOW      TT_MODEL_HASH_HIGH    64 bits that tell this build from others (unsigned)
 *   TT_MODEL_HASH          the same as a string literal of 16 digits
 *   TT_STATE_HASH_LOW      TT_STATE_HASH_HIGH    64 bits that tell whose state a checkpoint holds
 *   TT_WEIGHTS_BYTES       payload of model.ttw
 *   TT_STATE_BYTES         trained parameters; 0: the model only predicts
 *   TT_ARENA_BYTES
 *   TT_INPUT_OFFSET        of the input in the arena; TT_INPUT_BYTES its size: int8, or with
 *                          TT_INDICES int32
 *   TT_OUTPUT_OFFSET       of the int8 output in the arena after tt_model_predict; TT_OUTPUT_BYTES
 *   TT_LOSS                one of the TT_LOSS_ constants below; it says what a step learns towards
 *   TT_LOSS_BITS           losses are in units of 2^-TT_LOSS_BITS
 *   TT_CLASSES             softmax: labels are 0 .. TT_CLASSES - 1; sigmoid: as many bytes; else 0
 *   TT_INPUT_SHAPE         TT_OUTPUT_SHAPE       comma separated dimensions, batch included
 *   TT_INPUT_SCALE_BITS    TT_OUTPUT_SCALE_BITS  IEEE 754 single as unsigned bits
 *   TT_INPUT_ZERO          TT_OUTPUT_ZERO        zero points
 *   TT_PIXEL_MULTIPLIER    TT_PIXEL_ZERO         a pixel as input: floor(pixel * multiplier / 2^16 + 1/2)
 *                          + zero, saturated; 255 * multiplier < 2^31
 *   TT_PIXEL_LOW           TT_PIXEL_HIGH         real values that pixels 0 and 255 stand for
 */

/* What a step learns towards. NONE: the model cannot be trained, there are no steps. SOFTMAX:
 * label. SIGMOID: target, TT_CLASSES bytes of 0 or 1. MSE: target, TT_OUTPUT_BYTES quantized as the
 * output or, if label is 1, as the input, which must be as large then. */
#define TT_LOSS_NONE 0
#define TT_LOSS_SOFTMAX 1
#define TT_LOSS_SIGMOID 2
#define TT_LOSS_MSE 3

/* Also defined by model.h where a build has them, 0 otherwise:
 *   TT_MOMENTUM            there are velocities
 *   TT_DECAY               the kernels can let weights decay
 *   TT_BATCH               steps can accumulate, and tt_model_apply exists
 *   TT_INDICES             the input is int32 indices, each at least 0 and below this; there are no
 *                          TT_PIXEL_... then
 */
#ifndef TT_MOMENTUM
#define TT_MOMENTUM 0
#endif
#ifndef TT_DECAY
#define TT_DECAY 0
#endif
#ifndef TT_BATCH
#define TT_BATCH 0
#endif
#ifndef TT_INDICES
#define TT_INDICES 0
#endif

/* Where frozen layers come first, and 0 otherwise:
 *   TT_LATENT_BYTES        of the int8 tensor that is all that the others need of the input
 *   TT_LATENT_OFFSET       of it in the arena between tt_model_encode and tt_model_decode
 *   TT_LATENT_STEP_OFFSET  of it in the arena before call number TT_LATENT_CALLS of a step
 */
#ifndef TT_LATENT_BYTES
#define TT_LATENT_BYTES 0
#endif

/* And where TT_LOSS is not NONE:
 *   TT_STEP_CALLS          kernel calls of a step
 *   TT_LOSS_CALLS          those of them until the loss is known: no parameter has changed yet
 */

/* Header of model.ttw, 32 bytes, little endian, followed by the payload. */
typedef struct {
    char magic[4];          /* "TTW1" */
    uint32_t abi;           /* TT_ABI */
    uint32_t hash_low;      /* TT_MODEL_HASH_LOW */
    uint32_t hash_high;     /* TT_MODEL_HASH_HIGH */
    uint32_t payload_bytes; /* TT_WEIGHTS_BYTES */
    uint32_t payload_crc;   /* CRC-32 (IEEE 802.3, as zlib.crc32) of the payload */
    uint32_t reserved[2];   /* 0 */
} tt_weights_header;

/* Header of a checkpoint (.tts), 32 bytes, little endian, followed by the state. */
#define TT_CHECKPOINT_MAGIC 0x54535454u /* "TTST" */
#define TT_CHECKPOINT_VERSION 1u
typedef struct {
    uint32_t magic;       /* TT_CHECKPOINT_MAGIC */
    uint32_t version;     /* TT_CHECKPOINT_VERSION */
    uint32_t hash_low;    /* TT_STATE_HASH_LOW */
    uint32_t hash_high;   /* TT_STATE_HASH_HIGH */
    uint32_t sequence;    /* larger by one with every save; wraps around */
    uint32_t state_bytes; /* TT_STATE_BYTES */
    uint32_t state_crc;   /* CRC-32 of the state */
    uint32_t header_crc;  /* CRC-32 of the 28 bytes before */
} tt_checkpoint_header;

/* Copy the parameters as they were before any training from the weights into the state. */
void tt_model_reset(const uint8_t *weights, uint8_t *state);

/* Input at TT_INPUT_OFFSET of the arena to output at TT_OUTPUT_OFFSET; the input may be overwritten.
 * The state is read only. */
void tt_model_predict(const uint8_t *weights, const uint8_t *state, uint8_t *arena);

#if TT_LATENT_BYTES
/* The two halves of tt_model_predict: input to latent, latent to output. */
void tt_model_encode(const uint8_t *weights, uint8_t *arena);
void tt_model_decode(const uint8_t *weights, const uint8_t *state, uint8_t *arena);
#endif

#if TT_LOSS != TT_LOSS_NONE
/* A step on its way: forward, backward and update in place for the input in the arena. label and
 * target: as TT_LOSS says, what it does not name is ignored; they have to be there when call number
 * TT_LOSS_CALLS - 1 runs, which sets the loss, in units of 2^-TT_LOSS_BITS. */
typedef struct {
    const uint8_t *weights;
    uint8_t *state, *arena;
    const int8_t *target;
    int32_t label;
    int32_t loss;
    tt_rate rate;
    int32_t call; /* the next one */
    tt_part part; /* of it */
} tt_run;

/* Generated: do call number run->call as far as run->part says. */
void tt_model_call(tt_run *run);

/* step.c: begin a step. The rate's fields are read as far as the build has what they are for;
 * accumulate: 1 to add the gradients up in the state (TT_BATCH), else 0. A step that is given up
 * leaves the parameters that were updated already, and the number of steps as it was. */
void tt_step_begin(tt_run *run, const uint8_t *weights, uint8_t *state, uint8_t *arena,
    const tt_rate *rate, int32_t accumulate);

/* step.c: go on with at most so many pieces of one call; 1 when the step is done. */
int32_t tt_step_some(tt_run *run, int32_t units);

/* step.c: go on until that call is next. */
void tt_step_until(tt_run *run, int32_t call);
#endif

#if TT_BATCH
/* Update with the mean of the gradients added up, and forget them; nothing if there are none. */
void tt_model_apply(const uint8_t *weights, uint8_t *state, tt_rate *rate);
#endif

/* The loss of a step as the bits of an IEEE 754 single. */
static inline uint32_t tt_model_loss_bits(int32_t loss) {
    uint32_t bits = tt_loss_bits(loss); /* for units of 2^-20 */
    return bits == 0u ? 0u : bits + ((uint32_t)(20 - (TT_LOSS_BITS)) << 23);
}

#endif
