/* The inner loop of gradients in C. */
#include "tt_tile.h"

void tt_gradient_tile(const int32_t *g, const int8_t *w, const tt_tile *tile, int32_t *sums) {
    for (int32_t c = 0; c < tile->count; c++, w++, sums += TT_TILE_ROWS) {
        int32_t a = 0, b = 0, d = 0, e = 0;
        const int32_t *rows = g;
        const int8_t *x = w;
        for (int32_t n = tile->n; n > 0; n--) {
            int32_t v = *x;
            a += rows[0] * v;
            b += rows[1] * v;
            d += rows[2] * v;
            e += rows[3] * v;
            rows += TT_TILE_ROWS;
            x += tile->stride;
        }
        sums[0] = a;
        sums[1] = b;
        sums[2] = d;
        sums[3] = e;
    }
}
