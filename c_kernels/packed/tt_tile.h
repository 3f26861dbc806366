/* The inner loops of gradients: factors of 16 bits against int8. */
#ifndef TT_TILE_H
#define TT_TILE_H

#include "tt_packing.h"

/* n: length of the sums. stride: from one element of a column to the next. count: of columns, which
 * lie side by side. */
typedef struct {
    int32_t stride, n, count;
} tt_tile;

/* sums[c][r] += sum over k < n of g[k][r] * w[k * stride + c], r < TT_TILE_ROWS, c < count; no sum on the
 * way may leave int32. */
void tt_gradient_tile(const int32_t *g, const int8_t *w, const tt_tile *tile, int32_t *sums);

/* sums[c] = sum over k < n of factors[k][0] * w[factors[k][1] + c], c < 4 * quads; all that is read of w is
 * aligned to 4, n is even. */
void tt_gradient_row(
    const int32_t *factors, int32_t n, const int8_t *w, int32_t quads, int32_t *sums);

#endif
