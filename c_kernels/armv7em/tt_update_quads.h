/* The inner loop of updates by sums: four weights of some output channels. */
#ifndef TT_UPDATE_QUADS_H
#define TT_UPDATE_QUADS_H

#include "tt_update.h"

/* A step as the loop has it: mantissa * 2^16, 48 - shift, shift - 16. Shifts below 24 would do, but leave many
 * rows undone. */
#define TT_QUAD_SHIFT_MIN 24
#define TT_QUAD_SHIFT_MAX 46
typedef struct {
    uint32_t factor;
    int32_t dither_shift, shift;
} tt_quad_step;

/* sums [row][4]; steps [row]. w_step, fraction_step: bytes from a row to the next; dither: before the first four,
 * dither_step: from behind four to before the next. update_quads.S knows the order. */
typedef struct {
    const int32_t *sums;
    int8_t *w, *fraction;
    uint32_t dither;
    const tt_quad_step *steps;
    int32_t w_step, fraction_step;
    uint32_t dither_step;
    const int32_t *sums_end;
} tt_update_quads_of;

/* Update rows, at least one, as tt_update_weights does, until sums_end or a row of which nothing is done yet: one
 * weight moves by half a unit or more, is -128, or would leave +-127, or its delta is undecided, of 2^(shift - 16)
 * one. Returns where its sums are. */
const int32_t *tt_update_quads(const tt_update_quads_of *q);

#endif
