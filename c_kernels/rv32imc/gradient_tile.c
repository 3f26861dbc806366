/* Tiles of gradients where there are 31 registers: four rows of four columns at a time. */
#include "tt_tile.h"

#define COLUMNS 4

#define OUTLINE static __attribute__((noinline)) /* half the size, 2 % slower */

/* Four sums to mantissas from number `index` on. */
OUTLINE void put(
    tt_grad_writer *writer, int32_t index, int32_t a, int32_t b, int32_t c, int32_t d) {
    int32_t shift = writer->shift;
    int32_t any =
        tt_abs(a) | tt_abs(b) | tt_abs(c) | tt_abs(d); /* no larger than a limit of 2^k - 1
                                                                    unless one of them is */
    if (__builtin_expect(tt_grad_fits(writer->limit, any, shift), 1)) {
        tt_mantissa *m = writer->grad->mantissa + index;
        m[0] = tt_grad_cut(a, index, 0, shift);
        m[1] = tt_grad_cut(b, index + 1, 0, shift);
        m[2] = tt_grad_cut(c, index + 2, 0, shift);
        m[3] = tt_grad_cut(d, index + 3, 0, shift);
    } else {
        int32_t sums[COLUMNS] = {a, b, c, d};
        tt_grad_put(writer, index, 1, sums, 1, COLUMNS);
    }
}

static void four_columns(const tt_tile *tile, const int32_t *g, const int8_t *w,
    tt_grad_writer *writer, int32_t index, int32_t pitch) {
    int32_t a0 = 0, a1 = 0, a2 = 0, a3 = 0, b0 = 0, b1 = 0, b2 = 0, b3 = 0;
    int32_t c0 = 0, c1 = 0, c2 = 0, c3 = 0, d0 = 0, d1 = 0, d2 = 0, d3 = 0;
    int32_t stride = tile->stride;
    for (const int32_t *end = g + 4 * tile->n; g != end; g += 4, w += stride) {
        int32_t a = g[0], b = g[1], c = g[2], d = g[3];
        int32_t v = w[0];
        a0 += a * v;
        b0 += b * v;
        c0 += c * v;
        d0 += d * v;
        v = w[1];
        a1 += a * v;
        b1 += b * v;
        c1 += c * v;
        d1 += d * v;
        v = w[2];
        a2 += a * v;
        b2 += b * v;
        c2 += c * v;
        d2 += d * v;
        v = w[3];
        a3 += a * v;
        b3 += b * v;
        c3 += c * v;
        d3 += d * v;
    }
    int32_t rows = tile->filled;
    put(writer, index, a0, a1, a2, a3);
    if (rows > 1) {
        put(writer, index += pitch, b0, b1, b2, b3);
    }
    if (rows > 2) {
        put(writer, index += pitch, c0, c1, c2, c3);
    }
    if (rows > 3) {
        put(writer, index + pitch, d0, d1, d2, d3);
    }
}

/* One column. */
static void column_sums(const tt_tile *tile, const int32_t *g, const int8_t *w, int32_t *sums) {
    int32_t a = 0, b = 0, c = 0, d = 0;
    for (int32_t n = tile->n; n > 0; n--, g += 4, w += tile->stride) {
        int32_t v = *w;
        a += g[0] * v;
        b += g[1] * v;
        c += g[2] * v;
        d += g[3] * v;
    }
    sums[0] = a;
    sums[1] = b;
    sums[2] = c;
    sums[3] = d;
}

void tt_gradient_tile(const tt_tile *tile, const int32_t *g, const int8_t *w,
    tt_grad_writer *writer, int32_t index, int32_t pitch) {
    int32_t at = 0, sums[4];
    for (; at + COLUMNS <= tile->columns; at += COLUMNS) {
        four_columns(tile, g, w + at, writer, index + at, pitch);
    }
    for (; at < tile->columns; at++) {
        column_sums(tile, g, w + at, sums);
        tt_grad_put(writer, index + at, pitch, sums, 1, tile->filled);
    }
}
