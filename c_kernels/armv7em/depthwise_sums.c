/* The weight gradient of one channel of a depthwise convolution: rows of the output's gradient lie along those of
 * the input, for up to five taps at a time, each of which takes two pixels in one multiplication. */
#include "tt_dsp.h"
#include "tt_tap_pairs.h"
#include "tt_windows.h"

#define OUTLINE static __attribute__((noinline)) /* smaller, and as fast */

/* Of some positions, `stride` apart: so many before the map, the next ones inside. */
typedef struct {
    int16_t before, inside;
} extent;

OUTLINE extent extent_of(int32_t first, int32_t stride, int32_t n, int32_t size) {
    int32_t before = 0;
    for (; first < 0 && before < n; first += stride) {
        before++;
    }
    uint32_t most = tt_divide((uint32_t)tt_max(size - 1 - first + stride, 0), (uint32_t)stride);
    extent e = {(int16_t)before, (int16_t)tt_min(n - before, (int32_t)most)};
    return e;
}

/* What a channel works on: `rows` rows of the output from row y on. */
typedef struct {
    const tt_conv2d_bwd_weight_params *p;
    const int8_t *x;
    int32_t *d;
    tt_channel_pairs k;
    int32_t y, rows;
    uint32_t *gradient;
    int16_t *plane;
} channel;

OUTLINE void pack_gradient(const channel *c, const tt_mantissa *dy) {
    const tt_window *win = &c->p->window;
    tt_tap_rows map = {dy, (int16_t *)c->gradient, (int32_t)sizeof *dy * win->out_c, 0, win->out_w,
        c->rows, 2 * c->k.pitch - win->out_w, 0};
    int16_t *end = TT_GRADIENT_BITS == 16 ? tt_tap_rows_16(&map) : tt_tap_rows_8(&map);
    for (int32_t i = 0; i < 2 * TT_TAP_ZEROS; i++) {
        end[i] = 0;
    }
}

/* Add what pairs of the gradient give for n taps, which meet the input from here on. */
OUTLINE void add_taps(const channel *c, const uint32_t *gradient, const int16_t *input,
    int32_t pairs, int32_t n, int32_t *d) {
    while (n > 0) {
        int32_t sums[5], some = n > 5 ? 4 : n; /* the next ones begin at an even column */
        if (n > 3) {
            tt_tap_pairs_5(gradient, input, pairs, sums);
        } else {
            tt_tap_pairs_3(gradient, input, pairs, sums);
        }
        for (int32_t i = 0; i < some; i++, d += c->p->window.stride_w) {
            *d += tt_round_half_up(sums[i], c->p->row_shift);
        }
        input += some;
        n -= some;
    }
}

/* Add what the gradient meets of the input in every stride-th row and column, from the taps fy, fx on. */
OUTLINE void add_plane(const channel *c, int32_t fy, int32_t fx) {
    const tt_window *win = &c->p->window;
    int32_t stride = win->stride_h, step = win->stride_w, pairs = c->k.pairs;
    int32_t n = (win->kernel_w - 1 - fx) >> (step - 1), top = tt_window_top(win, c->y) + fy;
    int32_t left = fx - win->pad_left;
    extent rows = extent_of(top, stride, c->rows + c->k.more, win->in_h);
    extent columns = extent_of(left, step, win->out_w + n, win->in_w);
    if (rows.inside <= 0 || columns.inside <= 0) {
        return;
    }
    uint32_t minus = (uint32_t)-c->p->in_zero;
    int32_t in_y = top + rows.before * stride, in_x = left + columns.before * step;
    tt_tap_rows map = {c->x + (in_y * win->in_w + in_x) * win->in_c,
        c->plane + rows.before * 2 * pairs, step * win->in_c,
        (stride * win->in_w - columns.inside * step) * win->in_c, columns.inside, rows.inside,
        2 * pairs - columns.inside, tt_join_low(minus, minus)};
    for (int32_t i = columns.before; i > 0; i--) {
        *map.to++ = 0;
    }
    int16_t *end = tt_tap_rows_8(&map); /* below the map the gradient may go on */
    for (int32_t i = 2 * TT_TAP_ZEROS + n; i > 0; i--) {
        *end++ = 0;
    }

    const int16_t *input = c->plane;
    int32_t at_once = c->p->row_shift == 0 ? c->rows : 1; /* else each is rounded by itself */
    for (int32_t ky = fy; ky < win->kernel_h; ky += stride, top += stride, input += 2 * pairs) {
        extent y = extent_of(top, stride, c->rows, win->in_h);
        for (int32_t i = y.before, some; i < y.before + y.inside; i += some) {
            some = tt_min(at_once, y.inside);
            add_taps(c, c->gradient + i * c->k.pitch, input + i * 2 * pairs, some * pairs, n + 1,
                c->d + ky * win->kernel_w + fx);
        }
    }
}

void tt_depthwise_sums(const tt_conv2d_bwd_weight_params *p, const tt_mantissa *dy, const int8_t *x,
    int32_t *d, int32_t *scratch) {
    const tt_window *win = &p->window;
    channel c = {.p = p, .x = x, .d = d, .k = tt_channel_pairs_of(p)};
    if (scratch == NULL || c.k.rows <= 0) {
        tt_depthwise_sums_plain(p, dy, x, d);
        return;
    }
    c.plane = (int16_t *)scratch;
    c.gradient = (uint32_t *)scratch + (c.k.rows + c.k.more) * c.k.pairs + c.k.slack;
    for (int32_t i = 0; i < win->kernel_h * win->kernel_w; i++) {
        d[i] = 0;
    }
    for (; c.y < win->out_h; c.y += c.rows) {
        c.rows = tt_min(c.k.rows, win->out_h - c.y);
        pack_gradient(&c, dy + c.y * win->out_w * win->out_c);
        for (int32_t fy = 0; fy < tt_min(win->stride_h, win->kernel_h); fy++) {
            for (int32_t fx = 0; fx < tt_min(win->stride_w, win->kernel_w); fx++) {
                add_plane(&c, fy, fx);
            }
        }
    }
}
