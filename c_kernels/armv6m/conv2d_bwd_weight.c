/* Gradient of a convolution's weights and their update: of 1x1 kernels by tiles of output channels. */
#include "tt_columns.h"
#include "tt_plain.h"
#include "tt_sums.h"
#include "tt_swar.h"
#include "tt_update.h"

#define LEAST 3 /* output channels that are worth a tile */

static int takes_tiles(const tt_conv2d_bwd_weight_params *p, const tt_part *part) {
    int32_t n = p->window.out_c;
    if (n < 4 || !tt_takes_tiles(&p->window) || p->row_shift != 0) {
        return 0;
    }
    if (part != NULL) {
        n = tt_min(part->units, n - part->at);
    }
    return n >= LEAST;
}

/* A tile's rows are output channels, its columns input channels, n the pixels packed at a time: with the factors
 * [n][rows] goes what they add up to. */
typedef struct {
    const tt_conv2d_bwd_weight_params *p;
    int32_t *sums; /* [columns][rows] */
    int32_t *factors;
    tt_taken taken;
    tt_tile tile;
    int32_t rest[TT_TILE_ROWS]; /* what is not in a row's sums */
} tiles;

#if TT_GRADIENT_BITS == 16
#define PIXELS TT_TILE_PIXELS

static void add_columns(tt_adding *columns, tiles *t) {
    const int32_t *totals = t->taken.totals + TT_TILE_ROWS - t->tile.rows;
    for (int32_t r = 0; r < t->tile.rows; r++) { /* 64 * 2^15 * 2^7 at most */
        t->rest[r] -= t->p->in_zero * totals[r];
    }
    tt_add_columns(columns);
}

#else
#define PIXELS (2 * TT_TILE_PIXELS) /* two rows are one word of factors */

static inline int32_t lanes(const tt_mantissa *rows) {
    return rows[0] + rows[1] * (1 << 16);
}

/* Of an odd number of pixels the first one is a gap. Totals are lanes, too: 128 * 127 < 2^15. */
void tt_take_rows(const tt_mantissa *dy, int32_t step, int32_t *g, tt_taken *t) {
    for (int32_t r = 0; r < t->rows; r += 2) {
        const tt_mantissa *from = dy + r;
        int32_t *to = g + r, total = 0, n = t->n;
        if ((n & 1) != 0) {
            to[1] = total = lanes(from);
            from += step;
            to += t->rows;
        }
        for (n >>= 1; n > 0; n--) {
            to[0] = lanes(from);
            to[1] = lanes(from + step);
            total += to[0] + to[1];
            from += 2 * step;
            to += t->rows;
        }
        t->totals[r] = total;
    }
}

static void add_columns(tt_adding *columns, tiles *t) {
    int32_t zero = t->p->in_zero, rows = t->tile.rows, pairs = (t->tile.n + 1) >> 1;
    int32_t *starts = columns->starts + TT_TILE_ROWS - rows;
    for (int32_t r = 0; r < rows; r += 2) { /* modulo 2^32 */
        uint32_t total = (uint32_t)t->taken.totals[r];
        int32_t high = (int32_t)(total + (1u << 15)) >> 16;
        starts[r] = (int32_t)(0u - (uint32_t)zero * total - (uint32_t)pairs * TT_LANES);
        starts[r + 1] = -zero * high - pairs * (int32_t)(TT_LANES >> 16);
    }
    columns->end = columns->g + pairs * rows;
    tt_add_lanes(columns);
}
#endif

static void clear(int32_t *to, int32_t n) {
    while (n-- > 0) {
        *to++ = 0;
    }
}

/* The sums of some input channels, the first pixel's at x. dy: its first row. packed: the factors are there. */
static void sum_columns(tiles *t, const tt_mantissa *dy, const int8_t *x, int packed) {
    const tt_window *w = &t->p->window;
    const tt_tile *tile = &t->tile;
    int32_t pixels = w->out_h * w->out_w, n;
    clear(t->sums, tile->columns * tile->rows);
    clear(t->rest, TT_TILE_ROWS);
    for (int32_t left = pixels; left > 0; left -= n) {
        n = tt_min(PIXELS, left);
        if (!packed || pixels > PIXELS) {
            t->tile.n = t->taken.n = n;
            t->taken.rows = tile->rows;
            tt_take_rows(dy, w->out_c, t->factors, &t->taken);
        }
        tt_adding columns = {.g = t->factors,
            .stride = tile->stride,
            .twice = 2 * tile->stride,
            .w = x - tile->stride,
            .last = x - tile->stride + tile->columns,
            .out = t->sums,
            .end = t->factors + n * tile->rows,
            .rows = tile->rows,
            .n = n};
        add_columns(&columns, t);
        dy += n * w->out_c;
        x += n * w->in_c;
    }
}

static void take_row(const tiles *t, int32_t r, int32_t *to) {
    const int32_t *from = t->sums + r;
    int32_t rest = t->rest[r], rows = t->tile.rows;
    for (int32_t n = t->tile.columns; n > 0; n--) {
        *to++ = *from + rest;
        from += rows;
    }
}

static void update_row(
    const tiles *t, int32_t r, tt_rate *rate, tt_step step, int8_t *w, int8_t *fraction) {
    int32_t n = t->tile.columns;
    if (!tt_divides(step) || tt_swar_too_small(w, n)) { /* what the loop does not know */
        int32_t row[TT_TILE_CHANNELS];
        take_row(t, r, row);
        tt_update_weights(rate, step, row, n, w, fraction);
        return;
    }
    tt_divided_sums p = {rate->dither, 4 * t->tile.rows, t->rest[r], tt_divider_of(step)};
    tt_sums_loop(&p, t->sums + r, n, w, fraction);
    rate->dither = p.dither;
}

void tt_conv2d_bwd_weight(const tt_conv2d_bwd_weight_params *p, const tt_grad *dy, const int8_t *x,
    tt_rate *rate, const uint16_t *step_mantissa, const int8_t *step_exponent, int8_t *w,
    int8_t *fraction, int32_t *d, tt_part *part) {
    if (!takes_tiles(p, part)) {
        tt_conv2d_bwd_weight_plain(
            p, dy, x, rate, step_mantissa, step_exponent, w, fraction, d, part);
        return;
    }
    int32_t in_c = p->window.in_c, out_c = p->window.out_c, channels = p->channels;
    int32_t most = tt_min(TT_TILE_CHANNELS, channels), next;
    int32_t *sums = d + (rate == NULL ? out_c * channels : 0);
    tiles t = {.p = p, .sums = sums, .factors = sums + TT_TILE_ROWS * most, .tile.stride = in_c};
    tt_span span = tt_part_take(part, out_c);
    uint32_t dither = 0; /* before the first of all weights */
    if (rate != NULL) {
        dither = rate->dither - (uint32_t)(span.first * channels) * TT_DITHER_STEP;
    }
    for (int32_t o = span.first; o < span.last; o = next) {
        t.tile.rows = tt_tile_rows(span.last - o, 0);
        int32_t base = tt_min(o, out_c - t.tile.rows); /* the last tile may overlap those before */
        next = tt_min(base + t.tile.rows, span.last);
        for (int32_t c = 0; c < channels; c += most) {
            t.tile.columns = tt_min(most, channels - c);
            sum_columns(&t, dy->mantissa + base, x + c, c > 0);
            for (int32_t k = o; k < next; k++) {
                int32_t at = k * channels + c;
                if (rate == NULL) {
                    take_row(&t, k - base, d + at);
                    continue;
                }
                tt_step step = tt_step_of(rate, step_mantissa[k], step_exponent[k] + dy->exponent);
                rate->dither = dither + (uint32_t)at * TT_DITHER_STEP; /* in the order of all */
                update_row(&t, k - base, rate, step, w + k * in_c + c, fraction + at);
            }
        }
    }
}
