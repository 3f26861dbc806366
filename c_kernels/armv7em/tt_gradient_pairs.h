/* The inner loops of gradients of inputs: pairs of output channels. */
#ifndef TT_GRADIENT_PAIRS_H
#define TT_GRADIENT_PAIRS_H

#include <stdint.h>

#define TT_PAIR_PIXELS 4

/* stride: from one row of weights to the next. pairs: of rows; columns: pairs of them, > 0. */
typedef struct {
    int32_t stride, pairs, columns;
} tt_pair_columns;

/* sums[c][r] = sum over k < 2 * pairs of g[k / 2][r].half[k & 1] * w[k * stride + c], r < TT_PAIR_PIXELS,
 * c < 2 * columns; no sum may leave int32. */
void tt_gradient_pairs(
    const uint32_t *g, const int8_t *w, const tt_pair_columns *tile, int32_t *sums);

#endif
