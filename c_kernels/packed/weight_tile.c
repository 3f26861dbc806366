/* Tiles of weight gradients in C: four rows. */
#include "tt_weight_tile.h"

#define ROWS TT_WEIGHT_ROWS

int32_t tt_weight_tile_rows(void) {
    return ROWS;
}

/* Factors [n][ROWS], and what they add up to. */
static void take_gradients(
    const tt_weight_tile *t, int32_t at, int32_t n, int32_t *to, int32_t *totals) {
    for (int32_t r = 0; r < ROWS; r++) {
        const tt_mantissa *from = t->dy + at * t->dy_step + r;
        int32_t *factor = to + r;
        for (int32_t i = 0; i < n; i++, from += t->dy_step, factor += ROWS) {
            *factor = r < t->rows ? *from : 0;
            totals[r] += *factor;
        }
    }
}

void tt_weight_tile_sums(const tt_weight_tile *t) {
    int32_t totals[ROWS] = {0}, *sum = t->sums;
    for (int32_t i = 0; i < t->rows * t->columns; i++) {
        t->sums[i] = 0;
    }
    for (int32_t at = 0; at < t->pixels; at += TT_TILE_PIXELS) {
        int32_t n = tt_min(TT_TILE_PIXELS, t->pixels - at);
        take_gradients(t, at, n, t->scratch, totals);
        tt_weight_columns(t, t->x + at * t->x_step, n);
    }
    for (int32_t r = 0; r < t->rows; r++) {
        for (int32_t c = t->columns; c > 0; c--) {
            *sum++ -= t->zero * totals[r];
        }
    }
}
