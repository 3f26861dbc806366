/* The weight gradient of one channel of a depthwise convolution, four taps at a time. */
#include "tt_slide.h"
#include "tt_windows.h"

#define OUTLINE static __attribute__((noinline)) /* smaller, and as fast */

/* A row of the input without its zero point, 0 where it is outside the map. */
OUTLINE void pack_row(
    const tt_conv2d_bwd_weight_params *p, const int8_t *x, int32_t y, int32_t *to, int32_t n) {
    const tt_window *win = &p->window;
    int32_t in_c = win->in_c, zero = p->in_zero;
    int32_t first = win->pad_left, last = tt_min(win->pad_left + win->in_w, n), i = 0;
    if (y < 0 || y >= win->in_h) {
        last = 0;
    }
    for (x += y * win->in_w * in_c; i < first; i++) {
        *to++ = 0;
    }
    for (; i < last; i++, x += in_c) {
        *to++ = *x - zero;
    }
    for (; i < n; i++) {
        *to++ = 0;
    }
}

/* Rows y <= . < y + rows of the output's gradient, and the rows of the input that they meet. */
OUTLINE void pack_rows(const tt_conv2d_bwd_weight_params *p, const tt_mantissa *dy, const int8_t *x,
    int32_t y, int32_t rows, int32_t columns, int32_t *to) {
    const tt_window *win = &p->window;
    int32_t out_c = win->out_c;
    dy += y * win->out_w * out_c;
    for (int32_t *end = to + rows * win->out_w; to < end; dy += out_c) {
        *to++ = *dy;
    }
    int32_t top = tt_window_top(win, y), n = (rows - 1) * win->stride_h + win->kernel_h;
    for (int32_t i = 0; i < n; i++, to += columns) {
        pack_row(p, x, top + i, to, columns);
    }
}

/* Add to d what these rows give, each rounded by itself if it is shifted. */
OUTLINE void add_rows(const tt_conv2d_bwd_weight_params *p, tt_channel_rows k, int32_t rows,
    const int32_t *dy, int32_t *d) {
    const tt_window *win = &p->window;
    int32_t at_once = p->row_shift == 0 ? rows : 1;
    const int32_t *plane = dy + rows * win->out_w;
    tt_slide_shape shape = {win->out_w, 4 * win->stride_w, at_once,
        4 * (win->stride_h * k.columns - win->out_w * win->stride_w), win->kernel_h, 4 * k.columns};
    for (; rows > 0; rows -= at_once) {
        for (int32_t g = 0; g < k.groups; g++) {
            int32_t sums[4 * TT_MOST_TAP_ROWS];
            for (int32_t i = 0; i < 4 * win->kernel_h; i++) {
                sums[i] = 0;
            }
            tt_slide(plane + 4 * g, dy, &shape, sums);
            int32_t n = tt_min(win->kernel_w - 4 * g, 4), *to = d + 4 * g;
            for (int32_t ky = 0; ky < win->kernel_h; ky++, to += win->kernel_w) {
                for (int32_t kx = 0; kx < n; kx++) {
                    to[kx] += tt_round_half_up(sums[4 * ky + kx], p->row_shift);
                }
            }
        }
        dy += win->out_w;
        plane += win->stride_h * k.columns;
    }
}

void tt_depthwise_sums(const tt_conv2d_bwd_weight_params *p, const tt_mantissa *dy, const int8_t *x,
    int32_t *d, int32_t *scratch) {
    const tt_window *win = &p->window;
    tt_channel_rows k = tt_channel_rows_of(win);
    if (scratch == NULL || k.rows == 0) {
        tt_depthwise_sums_plain(p, dy, x, d);
        return;
    }
    for (int32_t i = 0; i < win->kernel_h * win->kernel_w; i++) {
        d[i] = 0;
    }
    for (int32_t y = 0; y < win->out_h; y += k.rows) {
        int32_t rows = tt_min(k.rows, win->out_h - y);
        pack_rows(p, dy, x, y, rows, k.columns, scratch);
        add_rows(p, k, rows, scratch, d);
    }
}
