/* The inner loop of updates by sums: four weights of some output channels. */
#ifndef TT_UPDATE_QUADS_H
#define TT_UPDATE_QUADS_H

#include "tt_update.h"

/* A step as the loop has it: mantissa * 2^16, 48 - shift (in the last row with the top bit set), 2^(shift - 16) - 1.
 * Shifts below 24 would do, but leave many rows undone. */
#define TT_QUAD_SHIFT_MIN 24
#define TT_QUAD_SHIFT_MAX 46
#define TT_QUAD_LAST 0x80000000u
typedef struct {
    uint32_t factor, dither_shift, mask;
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
} tt_update_quads_of;

/* Update rows, at least one, as tt_update_weights does, up to the last one or before a row of which nothing is done
 * yet: one weight moves by half a unit or more, is -128, or would leave +-127, or its delta is undecided, of
 * 2^(shift - 16) one. Returns where the next row's sums are. */
const int32_t *tt_update_quads(const tt_update_quads_of *q);

#endif
