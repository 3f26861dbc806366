/* The loop of pointwise gradients. */
#ifndef TT_SQUARE_H
#define TT_SQUARE_H

#include "tinytrain.h"

/* sums[r * pitch + c] = sum over k < n of g[k][r] * v[k * step + c], r < 4, c < columns; or that is added. */
void tt_square_sums(const int32_t *g, const int8_t *v, int32_t step, int32_t n, int32_t columns,
    int32_t *sums, int32_t pitch, int add);

#endif
