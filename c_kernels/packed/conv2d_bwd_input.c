/* Gradient of a convolution's input: 1x1 kernels four pixels at a time. */
#include "tt_gradient.h"
#include "tt_plain.h"
#include "tt_tile.h"

#define COLUMNS 8 /* input channels at a time: 128 bytes of sums on the stack */

/* g[o][r] = the real-valued gradient of output channel o of pixel r, as in the portable kernel; 0 from
 * `rows` pixels on. */
static void scale_pixels(const tt_conv2d_bwd_input_params *p, const tt_mantissa *dy,
    const uint16_t *scale, int32_t rows, int32_t *g) {
    int32_t out_c = p->window.out_c, one = 1 << p->headroom;
    for (int32_t r = 0; r < TT_TILE_ROWS; r++) {
        for (int32_t o = 0; o < out_c; o++) {
            g[o * TT_TILE_ROWS + r] = r < rows ? (*dy++ * one * scale[o] + (1 << 14)) >> 15 : 0;
        }
    }
}

/* `rows` pixels of dx. */
static void tile_pixels(const tt_conv2d_bwd_input_params *p, const int32_t *g, const int8_t *w,
    int32_t rows, tt_grad_writer *writer) {
    int32_t in_c = p->window.in_c, first = writer->written;
    int32_t sums[COLUMNS * TT_TILE_ROWS];
    tt_grad_reserve(writer, rows * in_c);
    for (int32_t i = 0; i < in_c; i += COLUMNS) {
        tt_tile tile = {in_c, p->window.out_c, tt_min(COLUMNS, in_c - i)};
        for (int32_t k = 0; k < COLUMNS * TT_TILE_ROWS; k++) {
            sums[k] = 0;
        }
        tt_gradient_tile(g, w + i, &tile, sums);
        for (int32_t r = 0; r < rows; r++) {
            tt_grad_put(writer, first + r * in_c + i, sums + r, TT_TILE_ROWS, tile.count);
        }
    }
}

void tt_conv2d_bwd_input(const tt_conv2d_bwd_input_params *p, const tt_grad *dy, const int8_t *w,
    const uint16_t *scale, tt_grad *dx, int32_t *scratch, tt_part *part) {
    const tt_window *win = &p->window;
    if (!tt_takes_tiles(win)) {
        tt_conv2d_bwd_input_plain(p, dy, w, scale, dx, scratch, part);
        return;
    }
    tt_span span = tt_part_take(part, win->in_h * win->in_w);
    tt_grad_writer writer = tt_grad_resume(dx, p->limit, dy->exponent + p->exponent, part);
    const tt_mantissa *g = dy->mantissa + span.first * win->out_c;
    for (int32_t at = span.first; at < span.last; at += TT_TILE_ROWS) {
        int32_t rows = tt_min(TT_TILE_ROWS, span.last - at);
        scale_pixels(p, g, scale, rows, scratch);
        tile_pixels(p, scratch, w, rows, &writer);
        g += rows * win->out_c;
    }
    tt_grad_pause(&writer, part);
}
