/* Gradient of a convolution's input: 1x1 kernels some pixels, of a single one four channels at a time. */
#include "tt_gradient.h"
#include "tt_plain.h"
#include "tt_tile.h"

#define CHANNELS 64 /* of a single pixel at a time: 256 bytes of sums on the stack */

/* What of a single pixel's gradient is not 0, each with the index of its weights; returns how many,
 * made even. */
static int32_t pack_factors(const tt_conv2d_bwd_input_params *p, const tt_mantissa *dy,
    const uint16_t *scale, int32_t *factors) {
    int32_t n = 0, in_c = p->window.in_c, one = 1 << p->headroom;
    for (int32_t o = 0, at = 0; o < p->window.out_c; o++, at += in_c) {
        int32_t g = tt_real_gradient(dy[o], one, scale[o]);
        if (g != 0) {
            factors[2 * n] = g;
            factors[2 * n + 1] = at;
            n++;
        }
    }
    if ((n & 1) != 0) {
        factors[2 * n] = factors[2 * n + 1] = 0;
        n++;
    }
    return n;
}

static void single_pixel(const tt_conv2d_bwd_input_params *p, const tt_grad *dy, const int8_t *w,
    const uint16_t *scale, tt_grad *dx, int32_t *scratch, tt_part *part) {
    tt_span span = tt_channels_take(part, p->window.in_c);
    tt_grad_writer writer = tt_grad_resume(dx, p->limit, dy->exponent + p->exponent, part);
    int32_t n = pack_factors(p, dy->mantissa, scale, scratch);
    int32_t sums[CHANNELS];
    for (int32_t i = span.first; i < span.last; i += CHANNELS) {
        int32_t count = tt_min(CHANNELS, span.last - i);
        tt_gradient_row(scratch, n, w + i, count >> 2, sums);
        tt_grad_push(&writer, sums, count);
    }
    tt_grad_pause(&writer, part);
}

void tt_conv2d_bwd_input(const tt_conv2d_bwd_input_params *p, const tt_grad *dy, const int8_t *w,
    const uint16_t *scale, tt_grad *dx, int32_t *scratch, tt_part *part) {
    const tt_window *win = &p->window;
    if (tt_fully_connected(win) && (win->in_c & 3) == 0 && ((uintptr_t)w & 3u) == 0u) {
        single_pixel(p, dy, w, scale, dx, scratch, part);
        return;
    }
    if (!tt_takes_tiles(win) || tt_mostly_zero(win, dy->mantissa)) {
        tt_conv2d_bwd_input_plain(p, dy, w, scale, dx, scratch, part);
        return;
    }
    tt_span span = tt_part_take(part, win->in_h * win->in_w);
    tt_grad_writer writer = tt_grad_resume(dx, p->limit, dy->exponent + p->exponent, part);
    const tt_mantissa *g = dy->mantissa + span.first * win->out_c;
    for (int32_t at = span.first; at < span.last;) {
        tt_tile tile = tt_tile_of(p, span.last - at);
        tt_scale_pixels(p, &tile, g, scale, scratch);
        tt_grad_reserve(&writer, tile.filled * win->in_c);
        tt_gradient_tile(&tile, scratch, w, &writer, at * win->in_c, win->in_c);
        g += tile.filled * win->out_c;
        at += tile.filled;
    }
    tt_grad_pause(&writer, part);
}
