/* The inner loop of weight gradients in C. */
#include "tt_weight_tile.h"

void tt_weight_columns(const tt_weight_tile *t, const int8_t *x, int32_t n) {
    for (int32_t column = 0; column < t->columns; column++) {
        int32_t a = 0, b = 0, c = 0, d = 0, *to = t->sums + column;
        const int32_t *g = t->scratch;
        const int8_t *v = x + column;
        for (int32_t i = n; i > 0; i--, g += TT_WEIGHT_ROWS, v += t->x_step) {
            int32_t factor = *v;
            a += g[0] * factor;
            b += g[1] * factor;
            c += g[2] * factor;
            d += g[3] * factor;
        }
        int32_t sums[TT_WEIGHT_ROWS] = {a, b, c, d};
        for (int32_t r = 0; r < t->rows; r++, to += t->columns) {
            *to += sums[r];
        }
    }
}
