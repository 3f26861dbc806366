/* Tiles of gradients: in assembly while sums fit the exponent. */
#include "tt_columns.h"

static void note_exponent(const tt_tile *tile, const tt_grad_writer *writer, tt_columns *t) {
#if TT_GRADIENT_BITS == 16
    t->shift = writer->shift;
    t->limit = writer->limit;
    if (tile->filled < tile->rows) { /* no row may be written */
        t->limit = -1;
        t->step = t->step_twice = 0;
        t->out = (uintptr_t)t->sums - 2 * (uintptr_t)(t->w + tile->n * tile->stride);
    }
#else
    uint32_t mask = (1u << writer->shift) - 1u;
    t->mask = (int32_t)mask;
    t->shift = 32;
    if (tile->filled == tile->rows && writer->limit == TT_MANTISSA_MAX) {
        t->shift = writer->shift;
    }
    t->hash = 0u - (uint32_t)(uintptr_t)writer->grad->mantissa * TT_INDEX_HASH;
    t->round = (0xaaaaaaaau & mask) + (126u << writer->shift);
#endif
}

void tt_gradient_tile(const tt_tile *tile, const int32_t *g, const int8_t *w,
    tt_grad_writer *writer, int32_t index, int32_t pitch) {
    const int32_t size = sizeof(tt_mantissa);
    tt_columns t;
    t.g = g;
    t.stride = tile->stride;
    t.twice = 2 * t.stride;
    w -= t.stride;
    t.w = w;
    t.last = w + tile->columns;
    t.end = g + tile->n * tile->rows;
    t.out = (uintptr_t)(writer->grad->mantissa + index);
    t.out -= (uintptr_t)size * (uintptr_t)(w + tile->n * t.stride);
    t.step = pitch * size;
#if TT_GRADIENT_BITS == 16
    t.step_twice = 2 * t.step;
#endif
    t.rows = tile->rows;
    t.n = tile->n;
    for (;;) {
        note_exponent(tile, writer, &t);
        int32_t left = tt_tile_columns(&t);
        if (left == 0) {
            return;
        }
        int32_t column = tile->columns - left;
        t.w = w + column + 1;
        const int32_t *sums = t.sums + TT_TILE_ROWS - tile->rows;
        /* of the tile nothing counts but the columns before */
        writer->open = writer->written - tile->filled * pitch;
        writer->pitch = pitch;
        writer->width = index + column - writer->open;
        tt_grad_grow(writer, sums, 1, tile->filled);
        writer->pitch = 0;
        tt_grad_put(writer, index + column, pitch, sums, 1, tile->filled);
    }
}
