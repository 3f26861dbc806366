/* Tiles of gradients: in assembly while sums fit the exponent. */
#include "tt_columns.h"

static void note_exponent(tt_columns *t, const tt_grad_writer *writer) {
    t->shift = writer->shift;
    t->mask = (int32_t)((1u << writer->shift) - 1u);
}

void tt_gradient_tile(const tt_tile *tile, const int32_t *g, const int8_t *w,
    tt_grad_writer *writer, int32_t index, int32_t pitch) {
    tt_columns t = tt_columns_of(tile, g, w);
    t.out = writer->grad->mantissa + index;
    t.step = pitch * (int32_t)sizeof(tt_mantissa);
    if (TT_GRADIENT_BITS == 16 && tile->filled == tile->rows) {
        t.limit = writer->limit;
        t.span = 2 * writer->limit;
    } /* else no sum fits */
    note_exponent(&t, writer);
    while (t.columns > 0 && tt_tile_columns(&t) > 0) {
        int32_t column = tile->columns - t.columns--;
        const int32_t *sums = t.sums + TT_TILE_ROWS - tile->rows;
        tt_grad_put(writer, index + column, pitch, sums, 1, tile->filled);
        note_exponent(&t, writer);
    }
}
