/* The sum at the heart of every weight gradient. */
#include "tt_windows.h"

/* Along one axis: the outputs first <= o < last for which the tap's input, o * stride + offset, lies
 * inside the map. */
typedef struct {
    int32_t first, last;
} range;

static range inside(int32_t outputs, int32_t stride, int32_t offset, int32_t size) {
    range r = {0, outputs};
    while (r.first < r.last && r.first * stride + offset < 0) {
        r.first++;
    }
    while (r.last > r.first && (r.last - 1) * stride + offset >= size) {
        r.last--;
    }
    return r;
}

tt_tap tt_tap_of(const tt_window *w, int32_t kernel_row, int32_t kernel_column) {
    int32_t top = kernel_row - w->pad_top, left = kernel_column - w->pad_left;
    range y = inside(w->out_h, w->stride_h, top, w->in_h);
    range x = inside(w->out_w, w->stride_w, left, w->in_w);
    int32_t in_y = y.first * w->stride_h + top, in_x = x.first * w->stride_w + left;
    tt_tap tap = {
        .rows = y.last - y.first,
        .columns = x.last - x.first,
        .dy_begin = (y.first * w->out_w + x.first) * w->out_c,
        .dy_row = w->out_w * w->out_c,
        .dy_column = w->out_c,
        .x_begin = (in_y * w->in_w + in_x) * w->in_c,
        .x_row = w->stride_h * w->in_w * w->in_c,
        .x_column = w->stride_w * w->in_c,
    };
    return tap;
}

int32_t tt_tap_sum(
    const tt_tap *tap, const tt_mantissa *dy, const int8_t *x, int32_t in_zero, int32_t row_shift) {
    int32_t dy_column = tap->dy_column, x_column = tap->x_column, total = 0;
    dy += tap->dy_begin;
    x += tap->x_begin;
    for (int32_t rows = tap->rows; rows > 0; rows--) {
        const tt_mantissa *g = dy;
        const int8_t *a = x;
        int32_t sum = 0;
        for (int32_t n = tap->columns; n > 0; n--) {
            sum = TT_ASSERT_RANGE(sum + (tt_wide)*g * (*a - in_zero));
            g += dy_column;
            a += x_column;
        }
        total = TT_ASSERT_RANGE((tt_wide)total + tt_round_half_up(sum, row_shift));
        dy += tap->dy_row;
        x += tap->x_row;
    }
    return total;
}

void tt_row_sums_plain(const tt_mantissa *dy, int32_t dy_step, const int8_t *x, int32_t x_step,
    int32_t n, int32_t zero, int32_t *sums) {
    int32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;
    for (; n > 0; n--, dy += dy_step, x += x_step) {
        int32_t v = *dy;
        s0 = TT_ASSERT_RANGE(s0 + (tt_wide)v * (x[0] - zero));
        s1 = TT_ASSERT_RANGE(s1 + (tt_wide)v * (x[1] - zero));
        s2 = TT_ASSERT_RANGE(s2 + (tt_wide)v * (x[2] - zero));
        s3 = TT_ASSERT_RANGE(s3 + (tt_wide)v * (x[3] - zero));
    }
    sums[0] = s0;
    sums[1] = s1;
    sums[2] = s2;
    sums[3] = s3;
}

/* Four channels side by side, of which the first is at x: dy is read once for all. */
static void four_sums(const tt_tap *tap, const tt_mantissa *dy, const int8_t *x, int32_t in_zero,
    int32_t row_shift, int32_t *d) {
    int32_t rows = tap->rows, n = tap->columns;
    if (row_shift == 0 && tap->dy_row == n * tap->dy_column && tap->x_row == n * tap->x_column) {
        n *= rows; /* rows that follow each other are one */
        rows = 1;
    }
    d[0] = d[1] = d[2] = d[3] = 0;
    for (; rows > 0; rows--, dy += tap->dy_row, x += tap->x_row) {
        int32_t sums[4];
        tt_row_sums(dy, tap->dy_column, x, tap->x_column, n, in_zero, sums);
        for (int32_t i = 0; i < 4; i++) {
            d[i] = TT_ASSERT_RANGE((tt_wide)d[i] + tt_round_half_up(sums[i], row_shift));
        }
    }
}

void tt_tap_sums(const tt_tap *tap, const tt_mantissa *dy, const int8_t *x, int32_t in_zero,
    int32_t row_shift, int32_t n, int32_t *d) {
    if (tap->rows == 1 && tap->columns == 1) { /* a fully connected layer */
        int32_t g = dy[tap->dy_begin];
        x += tap->x_begin;
        for (int32_t i = 0; i < n; i++) {
            int32_t sum = TT_ASSERT_RANGE((tt_wide)g * (x[i] - in_zero));
            d[i] = tt_round_half_up(sum, row_shift);
        }
        return;
    }
    int32_t i = 0;
    for (; i + 4 <= n; i += 4) {
        four_sums(tap, dy + tap->dy_begin, x + tap->x_begin + i, in_zero, row_shift, d + i);
    }
    for (; i < n; i++) {
        d[i] = tt_tap_sum(tap, dy, x + i, in_zero, row_shift);
    }
}

void tt_depthwise_sums_plain(
    const tt_conv2d_bwd_weight_params *p, const tt_mantissa *dy, const int8_t *x, int32_t *d) {
    const tt_window *win = &p->window;
    for (int32_t ky = 0; ky < win->kernel_h; ky++) {
        for (int32_t kx = 0; kx < win->kernel_w; kx++) {
            tt_tap t = tt_tap_of(win, ky, kx);
            *d++ = tt_tap_sum(&t, dy, x, p->in_zero, p->row_shift);
        }
    }
}
