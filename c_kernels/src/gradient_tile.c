/* Tiles of gradients in C: four rows. */
#include "tt_tile.h"

#define COLUMNS 16 /* at a time: 256 bytes of sums on the stack */

static void column_sums(const tt_tile *tile, const int32_t *g, const int8_t *w, int32_t *sums) {
    int32_t a = 0, b = 0, c = 0, d = 0;
    for (int32_t n = tile->n; n > 0; n--) {
        int32_t v = *w;
        a += g[0] * v;
        b += g[1] * v;
        c += g[2] * v;
        d += g[3] * v;
        g += 4;
        w += tile->stride;
    }
    sums[0] = a;
    sums[1] = b;
    sums[2] = c;
    sums[3] = d;
}

void tt_gradient_tile(const tt_tile *tile, const int32_t *g, const int8_t *w,
    tt_grad_writer *writer, int32_t index, int32_t pitch) {
    int32_t sums[COLUMNS * 4];
    for (int32_t from = 0; from < tile->columns; from += COLUMNS) {
        int32_t n = tt_min(COLUMNS, tile->columns - from);
        for (int32_t c = 0; c < n; c++) {
            column_sums(tile, g, w + from + c, sums + 4 * c);
        }
        for (int32_t r = 0; r < tile->filled; r++) {
            tt_grad_put(writer, index + r * pitch + from, 1, sums + r, 4, n);
        }
    }
}
