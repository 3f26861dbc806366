/* Tiles of weight gradients in C: four rows. */
#include "tt_weight_tile.h"

#define ROWS TT_WEIGHT_ROWS

int32_t tt_weight_tile_rows(void) {
    return ROWS;
}

/* Factors [n][ROWS], and what they add up to. */
static void take_gradients(
    const tt_weight_tile *t, int32_t at, int32_t n, int32_t *to, int32_t *totals) {
    int32_t last = t->rows - 1, second = tt_min(1, last), third = tt_min(2, last);
    int32_t step = t->dy_step;
    int32_t a = totals[0], b = totals[1], c = totals[2], d = totals[3];
    const tt_mantissa *from = t->dy + at * step;
    for (const int32_t *end = to + n * ROWS; to != end; to += ROWS, from += step) {
        a += to[0] = from[0];
        b += to[1] = from[second];
        c += to[2] = from[third];
        d += to[3] = from[last];
    }
    totals[0] = a;
    totals[1] = b;
    totals[2] = c;
    totals[3] = d;
}

void tt_weight_tile_sums(const tt_weight_tile *t) {
    int32_t totals[ROWS] = {0}, *sum = t->sums;
    for (const int32_t *end = sum + ROWS * t->columns; sum != end;) {
        *sum++ = 0;
    }
    for (int32_t at = 0; at < t->pixels; at += TT_TILE_PIXELS) {
        int32_t n = tt_min(TT_TILE_PIXELS, t->pixels - at);
        take_gradients(t, at, n, t->scratch, totals);
        tt_weight_columns(t, t->x + at * t->x_step, n);
    }
    sum = t->sums;
    for (int32_t r = 0; r < t->rows; r++) {
        int32_t zero = t->zero * totals[r];
        for (const int32_t *end = sum + t->columns; sum != end;) {
            *sum++ -= zero;
        }
    }
}
