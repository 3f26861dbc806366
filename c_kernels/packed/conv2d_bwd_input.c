/* Gradient of a convolution's input: 1x1 kernels some pixels at a time, or each by itself. */
#include "tt_gradient.h"
#include "tt_plain.h"
#include "tt_tile.h"

void tt_conv2d_bwd_input(const tt_conv2d_bwd_input_params *p, const tt_grad *dy, const int8_t *w,
    const uint16_t *scale, tt_grad *dx, int32_t *scratch, tt_part *part) {
    const tt_window *win = &p->window;
    int single = tt_fully_connected(win) && tt_weights_in_words(p, w);
    if (!single && !tt_takes_tiles(win)) {
        tt_conv2d_bwd_input_plain(p, dy, w, scale, dx, scratch, part);
        return;
    }
    tt_grad_writer writer = tt_grad_resume(dx, p->limit, dy->exponent + p->exponent, part);
    tt_sparse sparse = {p, w, scale, scratch, &writer, 0};
    if (single) {
        tt_single_pixel(&sparse, dy->mantissa, part);
        tt_grad_pause(&writer, part);
        return;
    }
    tt_span span = tt_part_take(part, win->in_h * win->in_w);
    const tt_mantissa *g = dy->mantissa + span.first * win->out_c;
    for (int32_t at = span.first; at < span.last;) {
        tt_tile tile = tt_tile_of(p, span.last - at);
        if (!tt_sparse_pixels(&sparse, g, tile.filled)) {
            tt_scale_pixels(p, &tile, g, scale, scratch);
            tt_grad_reserve(&writer, tile.filled * win->in_c);
            tt_gradient_tile(&tile, scratch, w, &writer, at * win->in_c, win->in_c);
        }
        g += tile.filled * win->out_c;
        at += tile.filled;
    }
    tt_grad_pause(&writer, part);
}
