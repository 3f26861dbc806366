/* The inner loop of weight gradients where there are 31 registers: four columns at a time. */
#include "tt_weight_tile.h"

/* One row's sums of four columns. */
static inline void add_to(int32_t *sums, int32_t a, int32_t b, int32_t c, int32_t d) {
    sums[0] += a;
    sums[1] += b;
    sums[2] += c;
    sums[3] += d;
}

static void four_columns(const tt_weight_tile *t, const int8_t *x, int32_t n, int32_t *sums) {
    int32_t a0 = 0, a1 = 0, a2 = 0, a3 = 0, b0 = 0, b1 = 0, b2 = 0, b3 = 0;
    int32_t c0 = 0, c1 = 0, c2 = 0, c3 = 0, d0 = 0, d1 = 0, d2 = 0, d3 = 0;
    int32_t step = t->x_step, columns = t->columns;
    const int32_t *g = t->scratch;
    for (const int32_t *end = g + TT_WEIGHT_ROWS * n; g != end; g += TT_WEIGHT_ROWS, x += step) {
        int32_t a = g[0], b = g[1], c = g[2], d = g[3];
        int32_t v = x[0];
        a0 += a * v;
        b0 += b * v;
        c0 += c * v;
        d0 += d * v;
        v = x[1];
        a1 += a * v;
        b1 += b * v;
        c1 += c * v;
        d1 += d * v;
        v = x[2];
        a2 += a * v;
        b2 += b * v;
        c2 += c * v;
        d2 += d * v;
        v = x[3];
        a3 += a * v;
        b3 += b * v;
        c3 += c * v;
        d3 += d * v;
    }
    add_to(sums, a0, a1, a2, a3);
    if (t->rows > 1) {
        add_to(sums + columns, b0, b1, b2, b3);
    }
    if (t->rows > 2) {
        add_to(sums + 2 * columns, c0, c1, c2, c3);
    }
    if (t->rows > 3) {
        add_to(sums + 3 * columns, d0, d1, d2, d3);
    }
}

void tt_weight_columns(const tt_weight_tile *t, const int8_t *x, int32_t n) {
    int32_t c = 0;
    for (; c + 4 <= t->columns; c += 4) {
        four_columns(t, x + c, n, t->sums + c);
    }
    for (; c < t->columns; c++) {
        const int32_t *g = t->scratch;
        for (int32_t i = 0; i < n; i++, g += TT_WEIGHT_ROWS) {
            for (int32_t r = 0; r < t->rows; r++) {
                t->sums[r * t->columns + c] += g[r] * x[i * t->x_step + c];
            }
        }
    }
}
