/* Gradient of a convolution's weights and their update: of 1x1 kernels by tiles of output channels. */
#include "tt_part.h"
#include "tt_plain.h"
#include "tt_update.h"
#include "tt_weight_tile.h"

#define LEAST 3 /* output channels that are worth a tile */

static int takes_tiles(const tt_conv2d_bwd_weight_params *p, const tt_part *part) {
    int32_t left = p->window.out_c - (part != NULL ? part->at : 0);
    int32_t n = part != NULL ? tt_min(part->units, left) : left;
    return tt_takes_tiles(&p->window) && p->row_shift == 0 && n >= LEAST;
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
    tt_weight_tile tile = {.dy_step = win->out_c,
        .x_step = win->in_c,
        .zero = p->in_zero,
        .pixels = win->out_h * win->out_w,
        .sums = scratch,
        .scratch = scratch + TT_TILE_ROWS * most};
    tt_span span = tt_part_take(part, win->out_c);
    uint32_t dither =
        rate == NULL ? 0 : rate->dither - (uint32_t)(span.first * channels) * TT_DITHER_STEP;
    for (int32_t o = span.first; o < span.last; o += tile.rows) {
        tile.rows = tt_min(tt_weight_tile_rows(), span.last - o);
        tile.dy = dy->mantissa + o;
        for (int32_t c = 0; c < channels; c += most) {
            tile.columns = tt_min(most, channels - c);
            tile.x = x + c;
            tt_weight_tile_sums(&tile);
            const int32_t *sums = tile.sums;
            for (int32_t k = o; k < o + tile.rows; k++, sums += tile.columns) {
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
