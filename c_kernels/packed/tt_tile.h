/* The inner loop of gradients: four rows of 16-bit factors against columns of int8. */
#ifndef TT_TILE_H
#define TT_TILE_H

#include "tt_packing.h"

/* n: length of the sums. stride: from one element of a column to the next. count: of columns, which
 * lie side by side. */
typedef struct {
    int32_t stride, n, count;
} tt_tile;

/* sums[c][r] += sum over k < n of g[k][r] * w[k * stride + c], r < TT_TILE_ROWS, c < count; no sum on the way may
 * leave int32. */
void tt_gradient_tile(const int32_t *g, const int8_t *w, const tt_tile *tile, int32_t *sums);

#endif
