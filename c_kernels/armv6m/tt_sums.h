/* The inner loop of the update of pointwise weights. */
#ifndef TT_SUMS_H
#define TT_SUMS_H

#include "tt_update.h"

/* As tt_update_weights, for sums so many bytes apart, each and `rest`. sums_loop.S knows the
 * offsets. */
typedef struct {
    uint32_t dither; /* the last one */
    int32_t step, rest;
    tt_divider by;
} tt_divided_sums;

void tt_sums_loop(tt_divided_sums *p, const int32_t *sums, int32_t n, int8_t *w, int8_t *fraction);

#endif
