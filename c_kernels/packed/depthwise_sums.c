/* The weight gradient of one channel of a depthwise convolution, three or five taps at a time. */
#include "tt_slide.h"
#include "tt_windows.h"

#define OUTLINE static __attribute__((noinline)) /* smaller, and as fast */

static void clear(int32_t *words, int32_t n) {
    for (; n > 0; n--) {
        *words++ = 0;
    }
}

/* Rows y <= . < y + rows of the output's gradient, and the rows of the input that they meet, without its
 * zero point and with zeros outside the map. */
OUTLINE void pack_rows(const tt_conv2d_bwd_weight_params *p, const tt_mantissa *dy, const int8_t *x,
    int32_t y, int32_t rows, int32_t columns, int32_t *to) {
    const tt_window *win = &p->window;
    int32_t out_c = win->out_c, out_w = win->out_w, in_c = win->in_c;
    int32_t size = (int32_t)sizeof(tt_mantissa);
    tt_gather gradient = {0, size * out_c, size * out_w * out_c, out_w, rows, 0, 0, 0};
    tt_gather_gradient(&gradient, dy + y * out_w * out_c, to);
    to += rows * out_w;
    int32_t top = tt_window_top(win, y), n = (rows - 1) * win->stride_h + win->kernel_h;
    int32_t first = tt_min(tt_max(-top, 0), n), last = tt_max(tt_min(win->in_h - top, n), first);
    int32_t inside = tt_max(tt_min(win->pad_left + win->in_w, columns) - win->pad_left, 0);
    tt_gather input = {p->in_zero, in_c, win->in_w * in_c, inside, last - first, win->pad_left,
        columns - win->pad_left - inside, 0};
    clear(to, first * columns);
    if (first < last) {
        tt_gather_input(&input, x + (top + first) * win->in_w * in_c, to + first * columns);
    }
    clear(to + last * columns, (n - last) * columns);
}

/* Add to d what these rows give, each rounded by itself if it is shifted. */
OUTLINE void add_rows(const tt_conv2d_bwd_weight_params *p, tt_channel_rows k, int32_t rows,
    const int32_t *dy, int32_t *d) {
    const tt_window *win = &p->window;
    int32_t at_once = p->row_shift == 0 ? rows : 1;
    const int32_t *plane = dy + rows * win->out_w;
    tt_slide_taps taps = {0, win->kernel_h, 4 * k.columns, win->out_w, at_once, 4 * win->stride_w,
        4 * win->stride_h * k.columns};
    for (; rows > 0; rows -= at_once) {
        for (int32_t first = 0; first < win->kernel_w; first += taps.width) {
            int32_t sums[TT_WIDEST * TT_MOST_TAP_ROWS];
            int32_t n = win->kernel_w - first, *to = d + first;
            taps.width = n > 3 ? TT_WIDEST : 3;
            tt_slide_weights(&taps, plane + first, dy, sums);
            const int32_t *row = sums;
            for (int32_t ky = win->kernel_h; ky > 0; ky--, to += win->kernel_w, row += taps.width) {
                for (int32_t kx = 0; kx < tt_min(n, taps.width); kx++) {
                    to[kx] += tt_round_half_up(row[kx], p->row_shift);
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
