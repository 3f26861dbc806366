/* The inner loop of the update of fully connected layers. */
#ifndef TT_PRODUCTS_H
#define TT_PRODUCTS_H

#include "tt_update.h"

/* For each of n inputs x, with z = x - zero and the next dither:
 *     scaled = z * high + floor(z * low / 2^16),  delta = floor((scaled + (dither >> (32 - shift))) / 2^shift),
 * or, where z + reach < 2 * reach + 1 as unsigned numbers (`span`),
 *     scaled = floor(z * product / 2^before),     with small_shift for shift;
 * then delta is subtracted from w and its fraction, as tt_update_weight does. Both shifts are in 2 .. 30.
 * products_loop.S knows the offsets. */
typedef struct {
    uint32_t dither;                 /* the last one */
    int32_t reach_zero, span, reach; /* reach - zero, 2 * reach + 1 or 0, -reach */
    int32_t high, low, shift;
    int32_t product, before, small_shift;
} tt_products;

void tt_products_loop(tt_products *p, const int8_t *x, int32_t n, int8_t *w, int8_t *fraction);

#endif
