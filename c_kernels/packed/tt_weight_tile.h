/* Sums of the gradients of pointwise weights by tiles: rows are output channels, columns input channels. */
#ifndef TT_WEIGHT_TILE_H
#define TT_WEIGHT_TILE_H

#include "tt_packing.h"

/* sums[r][c] = sum over k < pixels of dy[k * dy_step + r] * (x[k * x_step + c] - zero), r < rows, c < columns.
 * scratch: words [TT_TILE_ROWS][min(TT_TILE_PIXELS, pixels)]. No sum on the way may leave int32. */
typedef struct {
    const tt_mantissa *dy;
    int32_t dy_step;
    const int8_t *x;
    int32_t x_step, zero;
    int32_t pixels, rows, columns;
    int32_t *sums, *scratch;
} tt_weight_tile;

/* How many rows a target has in a tile. */
int32_t tt_weight_tile_rows(void);

void tt_weight_tile_sums(const tt_weight_tile *t);

/* In C: add to t->sums what n pixels give; scratch: dy's words [n][TT_WEIGHT_ROWS], from row t->rows on those of
 * other rows, whose sums may be formed, too. */
#define TT_WEIGHT_ROWS 4

void tt_weight_columns(const tt_weight_tile *t, const int8_t *x, int32_t n);

#endif
