/* Tiles of gradients: in assembly while sums fit the exponent. */
#include "tt_columns.h"

static void note_exponent(const tt_tile *tile, const tt_grad_writer *writer, tt_columns *t) {
    if (tile->filled < tile->rows) {
        return; /* no sum fits */
    }
    uint32_t mask = (1u << writer->shift) - 1u;
    t->mask = (int32_t)mask;
#if TT_GRADIENT_BITS == 16
    t->shift = writer->shift;
    t->limit = writer->limit;
    t->span = 2 * writer->limit;
#else
    if (writer->limit == TT_MANTISSA_MAX) {
        t->shift = writer->shift;
    }
    t->hash = 0u - (uint32_t)(uintptr_t)writer->grad->mantissa * TT_INDEX_HASH;
    t->round = (0xaaaaaaaau & mask) + (126u << writer->shift);
#endif
}

void tt_gradient_tile(const tt_tile *tile, const int32_t *g, const int8_t *w,
    tt_grad_writer *writer, int32_t index, int32_t pitch) {
    tt_columns t = tt_columns_of(tile, g, w);
    t.out = writer->grad->mantissa + index;
    t.step = pitch * (int32_t)sizeof(tt_mantissa);
    while (t.columns > 0) {
        note_exponent(tile, writer, &t);
        if (tt_tile_columns(&t) == 0) {
            return;
        }
        int32_t column = tile->columns - t.columns--;
        const int32_t *sums = t.sums + TT_TILE_ROWS - tile->rows;
        tt_grad_put(writer, index + column, pitch, sums, 1, tile->filled);
    }
}
