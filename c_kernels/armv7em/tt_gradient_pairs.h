/* The inner loops of gradients of inputs: pairs of output channels. */
#ifndef TT_GRADIENT_PAIRS_H
#define TT_GRADIENT_PAIRS_H

#include <stdint.h>

#define TT_PAIR_PIXELS 4

/* stride: from one row of weights to the next. pairs: of rows, > 1; columns: pairs of them, > 0. row: 0, or bytes
 * from a pixel's mantissas to the next one's; shift: bits that are cut off. */
typedef struct {
    int32_t stride, pairs, columns;
    int32_t row, shift;
} tt_pair_columns;

/* sums[c][r] = sum over k < 2 * pairs of g[k / 2][r].half[k & 1] * w[k * stride + c], r < TT_PAIR_PIXELS,
 * c < 2 * columns; no sum may leave int32. With a row, for gradients of 16 bits, they become mantissas [r][c]
 * instead, until one leaves int16. Returns how many pairs of columns are left then, with that one, else 0. */
int32_t tt_gradient_pairs(
    const uint32_t *g, const int8_t *w, const tt_pair_columns *tile, void *to);

#endif
