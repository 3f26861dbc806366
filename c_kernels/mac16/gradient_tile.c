/* Tiles of gradients with MAC16: a column of weights as int16, one row after the other. */
#include "tt_mac16.h"
#include "tt_mac16_tile.h"
#include "tt_tile.h"

#define COLUMNS 8 /* at a time, whose sums are on the stack */

/* n weights and zeros up to a multiple of 4. */
static void take_column(const int8_t *w, int32_t stride, int32_t n, int16_t *to) {
    for (int32_t i = n; i > 0; i--, w += stride) {
        *to++ = *w;
    }
    for (; (n & 3) != 0; n++) {
        *to++ = 0;
    }
}

/* sums [row][COLUMNS] of n columns. */
static void column_sums(
    const tt_tile *tile, const int16_t *g, const int8_t *w, int32_t n, int32_t *sums) {
    int16_t column[TT_BLOCK + 2] __attribute__((aligned(4)));
    for (int32_t i = 0; i < COLUMNS * tile->filled; i++) {
        sums[i] = 0;
    }
    if (tile->n == 1) {
        for (int32_t r = 0; r < tile->filled; r++, sums += COLUMNS) {
            for (int32_t c = 0; c < n; c++) {
                sums[c] = g[r] * w[c];
            }
        }
        return;
    }
    for (int32_t k = 0; k < tile->n; k += TT_BLOCK) {
        int32_t block = tt_min(TT_BLOCK, tile->n - k), quads = (block + 3) >> 2;
        for (int32_t c = 0; c < n; c++) {
            take_column(w + k * tile->stride + c, tile->stride, block, column);
            tt_mac16_rows(column, g, quads, tile->filled, sums + c, sums + c, 4 * COLUMNS);
        }
        g += 4 * quads * tile->filled;
    }
}

void tt_gradient_tile(const tt_tile *tile, const int32_t *g, const int8_t *w,
    tt_grad_writer *writer, int32_t index, int32_t pitch) {
    int32_t sums[COLUMNS * TT_TILE_ROWS];
    for (int32_t c = 0; c < tile->columns; c += COLUMNS) {
        int32_t n = tt_min(COLUMNS, tile->columns - c);
        column_sums(tile, (const int16_t *)(const void *)g, w + c, n, sums);
        for (int32_t r = 0; r < tile->filled; r++) {
            tt_grad_put(writer, index + r * pitch + c, 1, sums + r * COLUMNS, 1, n);
        }
    }
}
