/* Tiles of gradients. */
#include "tt_cut.h"
#include "tt_square.h"
#include "tt_tile.h"

#define COLUMNS 16 /* at a time: 256 bytes of sums on the stack */

/* A row of n sums from number `index` on; the cutter is the writer's. */
static inline void put_row(
    tt_grad_writer *writer, tt_cutter *cut, int32_t index, const int32_t *sums, int32_t n) {
    tt_mantissa *m = writer->grad->mantissa + index;
    for (; n > 3; n -= 4, sums += 4, m += 4, index += 4) {
        int32_t a = sums[0], b = sums[1], c = sums[2], d = sums[3];
        if (!tt_cut_fits(*cut, a) || !tt_cut_fits(*cut, b) || !tt_cut_fits(*cut, c) ||
            !tt_cut_fits(*cut, d)) {
            break;
        }
        m[0] = tt_cut(*cut, a, index);
        m[1] = tt_cut(*cut, b, index + 1);
        m[2] = tt_cut(*cut, c, index + 2);
        m[3] = tt_cut(*cut, d, index + 3);
    }
    if (n > 0) {
        tt_grad_put(writer, (int32_t)(m - writer->grad->mantissa), 1, sums, 1, n);
        *cut = tt_cutter_of(writer);
    }
}

void tt_gradient_tile(const tt_tile *tile, const int32_t *g, const int8_t *w,
    tt_grad_writer *writer, int32_t index, int32_t pitch) {
    tt_cutter cut = tt_cutter_of(writer);
    int32_t sums[4 * COLUMNS];
    for (int32_t from = 0; from < tile->columns; from += COLUMNS) {
        int32_t n = tt_min(COLUMNS, tile->columns - from);
        tt_square_sums(g, w + from, tile->stride, tile->n, n, sums, COLUMNS, 0);
        for (int32_t r = 0; r < tile->filled; r++) {
            put_row(writer, &cut, index + r * pitch + from, sums + r * COLUMNS, n);
        }
    }
}
