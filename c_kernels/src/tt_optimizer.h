/* Updates beyond plain SGD on 8 + 8 bits; the formula stands with tt_optimizer in the kernels'
 * header, the derivation in docs/NUMERICS.md. */
#ifndef TT_OPTIMIZER_H
#define TT_OPTIMIZER_H

#include "tt_update.h"

/* What sums are multiplied with, besides the rate: mantissa * 2^exponent, in units of w. */
typedef struct {
    uint32_t mantissa; /* 0: nothing moves */
    int32_t exponent;
} tt_factor;

/* Update the weights of output channel `row` with its sums in the order of updates. The sums' own
 * rate may differ from `rate` (the mean over a batch). */
void tt_optimize_weights(const tt_trained *p, tt_rate *rate, const tt_rate *sums_rate,
    tt_factor factor, int32_t row, const int32_t *sums, int8_t *w, uint8_t *fraction,
    int16_t *velocity);

/* The same for bias number `i`. */
void tt_optimize_bias(const tt_optimizer *p, tt_rate *rate, const tt_rate *sums_rate,
    tt_factor factor, int32_t i, int32_t sum, int32_t *bias, uint8_t *fraction, int32_t *velocity);

/* Add d[n] * 2^exponent to elements at .. at + n of the `size` sums; those of a batch's first row
 * set the exponent. d is zero if its exponent is TT_ZERO_EXPONENT. */
void tt_accumulate(tt_sums *sums, int32_t size, tt_rate *rate, const int32_t *d, int32_t at,
    int32_t n, int32_t exponent);

#endif
