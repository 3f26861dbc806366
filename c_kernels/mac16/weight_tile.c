/* Tiles of weight gradients with MAC16: columns of inputs and of gradients as rows of int16. */
#include "tt_mac16.h"
#include "tt_weight_tile.h"

int32_t tt_weight_tile_rows(void) {
    return TT_TILE_ROWS;
}

/* n elements and zeros up to a multiple of 4; returns their sum. */
static int32_t take_gradients(const tt_mantissa *from, int32_t step, int32_t n, int16_t *to) {
    int32_t sum = 0, i = 0;
    for (; i < n; i++, from += step) {
        int32_t v = *from;
        *to++ = (int16_t)v;
        sum += v;
    }
    for (; (i & 3) != 0; i++) {
        *to++ = 0;
    }
    return sum;
}

static void take_inputs(const int8_t *from, int32_t step, int32_t n, int16_t *to) {
    for (int32_t i = n; i > 0; i--, from += step) {
        *to++ = *from;
    }
    for (; (n & 3) != 0; n++) {
        *to++ = 0;
    }
}

void tt_weight_tile_sums(const tt_weight_tile *t) {
    int16_t inputs[TT_TILE_PIXELS + 2] __attribute__((aligned(4)));
    int16_t *gradients = (int16_t *)(void *)t->scratch;
    int32_t totals[TT_TILE_ROWS] = {0};
    for (int32_t i = 0; i < t->rows * t->columns; i++) {
        t->sums[i] = 0;
    }
    for (int32_t at = 0; at < t->pixels; at += TT_TILE_PIXELS) {
        int32_t n = tt_min(TT_TILE_PIXELS, t->pixels - at), quads = (n + 3) >> 2;
        for (int32_t r = 0; r < t->rows; r++) {
            totals[r] += take_gradients(
                t->dy + at * t->dy_step + r, t->dy_step, n, gradients + 4 * quads * r);
        }
        for (int32_t c = 0; c < t->columns; c++) {
            take_inputs(t->x + at * t->x_step + c, t->x_step, n, inputs);
            tt_mac16_rows(
                inputs, gradients, quads, t->rows, t->sums + c, t->sums + c, 4 * t->columns);
        }
    }
    int32_t *sum = t->sums;
    for (int32_t r = 0; r < t->rows; r++) {
        int32_t zero = t->zero * totals[r];
        for (int32_t c = t->columns; c > 0; c--) {
            *sum++ -= zero;
        }
    }
}
