/* The inner loop of weight gradients: pairs of pixels. */
#ifndef TT_WEIGHT_PAIRS_H
#define TT_WEIGHT_PAIRS_H

#include "tt_arithmetic.h"

/* dy: two output channels of the first pixel, dy_step: bytes to the next pixel. x: [pair][4] input channels,
 * two pixels in each word, up to x_end; if `odd`, one more pair follows, of a pixel and zeros. sums: of the first
 * output channel, those of the second one begin sums_step bytes behind them. */
typedef struct {
    const tt_mantissa *dy;
    int32_t dy_step;
    const uint32_t *x, *x_end;
    int32_t *sums;
    int32_t sums_step, odd;
} tt_weight_pairs_of;

/* sums[o][c] += sum over pixels of dy[o] * x[c], o < 2, c < 4; no sum may leave int32. */
void tt_weight_pairs(const tt_weight_pairs_of *s);

/* Four input channels of pairs of pixels, `step` bytes apart, to what x is, from `to` on until `end`. offset is
 * added to both halves. */
void tt_weight_inputs(
    const int8_t *x, int32_t step, uint32_t *to, const uint32_t *end, uint32_t offset);

#endif
