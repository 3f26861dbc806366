/* The gradient of a depthwise convolution's input in plain C. */
#include "tt_gradient.h"
#include "tt_plain.h"
#include "tt_windows.h"

void tt_depthwise_conv2d_bwd_input_plain(const tt_conv2d_bwd_input_params *p, const tt_grad *dy,
    const int8_t *w, const uint16_t *scale, tt_grad *dx, int32_t *scratch, tt_part *part) {
    const tt_window *win = &p->window;
    int32_t per_input = (int32_t)tt_divide((uint32_t)win->out_c, (uint32_t)win->in_c);
    int32_t *sums = scratch + win->in_c; /* [out_c] */
    int32_t one = 1 << p->headroom;
    tt_span span = tt_part_take(part, win->in_h * win->in_w);
    tt_grad_writer writer = tt_grad_resume(dx, p->limit, dy->exponent + p->exponent, part);
    int32_t y = (int32_t)tt_divide((uint32_t)span.first, (uint32_t)win->in_w);
    int32_t x = span.first - y * win->in_w;
    tt_cover rows = tt_cover_begin(win->pad_top + y, win->stride_h);
    for (int32_t left = span.last - span.first; left > 0; x = 0) {
        tt_cover columns = tt_cover_begin(win->pad_left + x, win->stride_w);
        for (; x < win->in_w && left > 0; x++, left--, tt_cover_next(&columns, win->stride_w)) {
            for (int32_t o = 0; o < win->out_c; o++) {
                sums[o] = 0;
            }
            tt_covering c = tt_covering_begin(rows, columns);
            while (tt_covering_next(&c, win, columns)) {
                const tt_mantissa *g = dy->mantissa + c.pixel * win->out_c;
                const int8_t *tap = w + c.tap * win->out_c;
                for (int32_t o = 0; o < win->out_c; o++) {
                    sums[o] = TT_ASSERT_RANGE(sums[o] + (tt_wide)(g[o] * one) * tap[o]);
                }
            }
            for (int32_t o = 0, i = 0; i < win->in_c; i++) {
                scratch[i] = 0;
                for (int32_t m = 0; m < per_input; m++, o++) {
                    int32_t real = tt_mul_shift15(sums[o], scale[o]);
                    scratch[i] = TT_ASSERT_RANGE((tt_wide)scratch[i] + real);
                }
            }
            tt_grad_push(&writer, scratch, win->in_c);
        }
        tt_cover_next(&rows, win->stride_h);
    }
    tt_grad_pause(&writer, part);
}
