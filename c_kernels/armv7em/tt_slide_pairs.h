/* The inner loop of depthwise gradients: rows of coefficients slide over a plane of int16. */
#ifndef TT_SLIDE_PAIRS_H
#define TT_SLIDE_PAIRS_H

#include "tt_packing.h"

/* pitch: bytes from one row of the plane to the next. coefficients: [row][pair]{for even, for odd sums} up to
 * `end`, `pairs` > 0 in a row. groups: of four sums, > 0. */
typedef struct {
    const int16_t *plane;
    int32_t pitch;
    const uint32_t *coefficients, *end;
    int32_t *sums;
    int32_t groups, pairs;
} tt_slide_pairs_of;

/* sums[x] = sum over rows y, pairs k of plane[y][(x & ~1) + 2 * k + i] * coefficients[y][k][x & 1].half[i],
 * i < 2, x < 4 * groups, modulo 2^32. */
void tt_slide_pairs(const tt_slide_pairs_of *s);

#endif
