/* Gradient of a convolution's weights and their update: of 1x1 kernels by tiles of output channels. */
#include "tt_columns.h"
#include "tt_plain.h"
#include "tt_update.h"

#define LEAST 3 /* output channels that are worth a tile */

/* One call. The tile's rows are output channels, its columns input channels, n the pixels packed at a time. */
typedef struct {
    const tt_conv2d_bwd_weight_params *p;
    const int8_t *x;
    int32_t pixels;
    int32_t *sums;    /* [rows][columns] */
    int32_t *factors; /* [n][rows] */
    tt_taken taken;
} tiles;

static int takes_tiles(const tt_conv2d_bwd_weight_params *p, const tt_part *part) {
    int32_t left = p->window.out_c - (part != NULL ? part->at : 0);
    int32_t n = part != NULL ? tt_min(part->units, left) : left;
    return tt_takes_tiles(&p->window) && p->row_shift == 0 && n >= LEAST;
}

/* dy: of the first pixel and row. */
static void pack(tiles *t, const tt_tile *tile, const tt_mantissa *dy) {
    int32_t step = t->p->window.out_c, *totals = t->taken.totals + TT_TILE_ROWS - tile->rows;
    t->taken.n = tile->n;
    t->taken.rows = tile->rows;
    if (tile->filled == tile->rows) {
        tt_take_rows(dy, step, t->factors, &t->taken);
        return;
    }
    for (int32_t r = 0; r < tile->filled; r++) { /* others may be anything */
        int32_t *to = t->factors + r;
        totals[r] = 0;
        for (int32_t n = 0; n < tile->n; n++, to += tile->rows) {
            *to = dy[n * step + r];
            totals[r] += *to;
        }
    }
}

/* The sums of input channels from `first` on. dy: of the first pixel and output channel. */
static void sum_columns(tiles *t, tt_tile tile, const tt_mantissa *dy, int32_t first) {
    for (int32_t at = 0; at < t->pixels; at += tile.n) {
        tile.n = tt_min(TT_TILE_PIXELS, t->pixels - at);
        if (first == 0 || t->pixels > TT_TILE_PIXELS) { /* else they are packed already */
            pack(t, &tile, dy + at * t->p->window.out_c);
        }
        tt_columns columns =
            tt_columns_of(&tile, t->factors, t->x + at * t->p->window.in_c + first);
        columns.out = t->sums;
        columns.step = 4 * tile.columns;
        columns.mask = at == 0 ? 0 : -1;
        for (int32_t r = 0; r < TT_TILE_ROWS; r++) { /* 64 * 2^15 * 2^7 at most */
            columns.sums[r] = -t->p->in_zero * t->taken.totals[r];
        }
        tt_add_columns(&columns);
    }
}

static void copy(const int32_t *from, int32_t *to, int32_t n) {
    while (n-- > 0) {
        *to++ = *from++;
    }
}

void tt_conv2d_bwd_weight(const tt_conv2d_bwd_weight_params *p, const tt_grad *dy, const int8_t *x,
    tt_rate *rate, const uint16_t *step_mantissa, const int8_t *step_exponent, int8_t *w,
    int8_t *fraction, int32_t *d, tt_part *part) {
    if (!takes_tiles(p, part)) {
        tt_conv2d_bwd_weight_plain(
            p, dy, x, rate, step_mantissa, step_exponent, w, fraction, d, part);
        return;
    }
    const tt_window *win = &p->window;
    int32_t channels = p->channels, most = tt_min(TT_TILE_CHANNELS, channels);
    int32_t *scratch = d + (rate == NULL ? win->out_c * channels : 0);
    tiles t = {p, x, win->out_h * win->out_w, scratch, scratch + TT_TILE_ROWS * most, {0, 0, {0}}};
    tt_span span = tt_part_take(part, win->out_c);
    tt_tile tile = {.stride = win->in_c};
    uint32_t dither =
        rate == NULL ? 0 : rate->dither - (uint32_t)(span.first * channels) * TT_DITHER_STEP;
    for (int32_t o = span.first; o < span.last; o += tile.filled) {
        tile.rows = tt_tile_rows(span.last - o, 0);
        tile.filled = tt_min(tile.rows, span.last - o);
        for (int32_t c = 0; c < channels; c += most) {
            tile.columns = tt_min(most, channels - c);
            sum_columns(&t, tile, dy->mantissa + o, c);
            const int32_t *sums = t.sums;
            for (int32_t k = o; k < o + tile.filled; k++, sums += tile.columns) {
                int32_t at = k * channels + c;
                if (rate == NULL) {
                    copy(sums, d + at, tile.columns);
                    continue;
                }
                tt_step step = tt_step_of(rate, step_mantissa[k], step_exponent[k] + dy->exponent);
                rate->dither = dither + (uint32_t)at * TT_DITHER_STEP;
                tt_update_weights(
                    rate, step, sums, tile.columns, w + k * win->in_c + c, fraction + at);
            }
        }
    }
}
