/* The inner loop of updates by products: four weights at a time. */
#ifndef TT_PRODUCT_QUADS_H
#define TT_PRODUCT_QUADS_H

#include <stdint.h>

/* dither: before the next four. delta is the high word of (*x + minus_zero) * factor + dither - below, if the low
 * word is less than `decided`. to_w, to_fraction: from an input to its weight and to the fraction of that.
 * product_quads.S knows the order. */
typedef struct {
    uint32_t dither, dither_step;
    int32_t factor, minus_zero;
    uint32_t decided;
    const int8_t *x, *x_end;
    uint32_t below;
    uintptr_t to_w, to_fraction;
} tt_product_quads_of;

/* Update weights, four at a time, |delta| < 2^14, until x is x_end, or x and dither are those of four of which
 * one is undecided or would leave +-127. */
void tt_product_quads(tt_product_quads_of *q);

#endif
