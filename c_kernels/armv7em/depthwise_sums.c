/* The weight gradient of one channel of a depthwise convolution: rows of the output's gradient slide over the
 * input, for four taps at a time, each of which takes two pixels in one multiplication. */
#include "tt_dsp.h"
#include "tt_slide_pairs.h"
#include "tt_windows.h"

#define OUTLINE static __attribute__((noinline)) /* smaller, and as fast */

/* A row of the output's gradient as pairs, for even and for odd taps. */
OUTLINE uint32_t *pack_gradient(const tt_window *win, const tt_mantissa *dy, uint32_t *to) {
    int32_t n = win->out_w, step = win->out_c;
    uint32_t before = 0;
    for (; n > 1; n -= 2, dy += 2 * step, to += 2) {
        uint32_t first = (uint32_t)dy[0], second = (uint32_t)dy[step];
        to[0] = tt_join_low(first, second);
        to[1] = tt_join_low(before, first);
        before = second;
    }
    uint32_t last = n > 0 ? (uint32_t)*dy : 0;
    to[0] = tt_join_low(last, 0);
    to[1] = tt_join_low(before, last);
    return to + 2;
}

/* Every stride-th of the columns that windows reach from column `left` of the input on, without the zero point;
 * 0 where that is outside the map. x: the row, or NULL. */
OUTLINE void pack_input(
    const tt_conv2d_bwd_weight_params *p, const int8_t *x, int32_t left, int16_t *to) {
    const tt_window *win = &p->window;
    int32_t stride = win->stride_w, step = stride * win->in_c, zero = p->in_zero;
    int32_t reach = left + stride * (win->out_w - 1) + win->kernel_w; /* of the last window */
    if (x != NULL) {
        for (; left < 0 && left < reach; left += stride) {
            *to++ = 0;
        }
        const int8_t *end = x + tt_min(reach, win->in_w) * win->in_c;
        for (x += left * win->in_c; x < end; x += step, left += stride) {
            *to++ = (int16_t)(*x - zero);
        }
    }
    for (; left < reach; left += stride) {
        *to++ = 0;
    }
}

/* Add what `rows` rows of the gradient give, each rounded by itself if it is shifted. */
OUTLINE void add_rows(const tt_conv2d_bwd_weight_params *p, tt_channel_pairs k, int32_t rows,
    const uint32_t *gradient, const int16_t *input, int32_t *d) {
    const tt_window *win = &p->window;
    int32_t stride = win->stride_w, in_row = stride * k.pitch;
    int32_t sums[TT_MOST_TAP_COLUMNS];
    tt_slide_pairs_of s = {NULL, 2 * win->stride_h * in_row, gradient,
        gradient + 2 * k.pairs * rows, sums, 0, k.pairs};
    for (int32_t ky = 0; ky < win->kernel_h; ky++, input += in_row, d += win->kernel_w) {
        for (int32_t fx = 0; fx < tt_min(stride, win->kernel_w); fx++) {
            s.plane = input + fx * k.pitch;
            s.groups = (((win->kernel_w - 1 - fx) >> (stride - 1)) + 4) >> 2;
            tt_slide_pairs(&s);
            const int32_t *sum = sums;
            for (int32_t kx = fx; kx < win->kernel_w; kx += stride) {
                d[kx] += tt_round_half_up(*sum++, p->row_shift);
            }
        }
    }
}

void tt_depthwise_sums(const tt_conv2d_bwd_weight_params *p, const tt_mantissa *dy, const int8_t *x,
    int32_t *d, int32_t *scratch) {
    const tt_window *win = &p->window;
    tt_channel_pairs k = tt_channel_pairs_of(win);
    if (scratch == NULL || k.rows == 0) {
        tt_depthwise_sums_plain(p, dy, x, d);
        return;
    }
    for (int32_t i = 0; i < win->kernel_h * win->kernel_w; i++) {
        d[i] = 0;
    }
    int32_t at_once = p->row_shift == 0 ? k.rows : 1, in_row = win->stride_w * k.pitch;
    for (int32_t y = 0, rows; y < win->out_h; y += rows) {
        rows = tt_min(k.rows, win->out_h - y);
        uint32_t *to = (uint32_t *)scratch;
        for (int32_t i = 0; i < rows; i++, dy += win->out_w * win->out_c) {
            to = pack_gradient(win, dy, to);
        }
        int16_t *input = (int16_t *)to;
        int32_t top = tt_window_top(win, y), n = (rows - 1) * win->stride_h + win->kernel_h;
        for (int32_t i = 0; i < n; i++) {
            int32_t in_y = top + i;
            const int8_t *row =
                in_y >= 0 && in_y < win->in_h ? x + in_y * win->in_w * win->in_c : NULL;
            for (int32_t fx = 0; fx < win->stride_w; fx++) {
                pack_input(p, row, fx - win->pad_left, input + i * in_row + fx * k.pitch);
            }
        }
        for (int32_t i = 0; i < rows; i += at_once) {
            add_rows(p, k, tt_min(at_once, rows - i), (uint32_t *)scratch + 2 * k.pairs * i,
                input + i * win->stride_h * in_row, d);
        }
    }
}
