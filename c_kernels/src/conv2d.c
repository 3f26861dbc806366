/* Convolution, and with a 1x1 kernel the fully connected layer: forward and backward. */
#include "tt_gradient.h"
#include "tt_optimizer.h"
#include "tt_plain.h"
#include "tt_windows.h"

int32_t tt_conv2d_patch_sum(const tt_conv2d *p, tt_patch patch, const int8_t *x, const int8_t *w) {
    int32_t in_c = p->window.in_c, zero = p->in_zero;
    int32_t x_row = p->window.in_w * in_c, w_row = p->window.kernel_w * in_c;
    uint32_t sum = 0;
    x += patch.pixel * in_c;
    w += patch.tap * in_c;
    for (int32_t rows = patch.rows; rows > 0; rows--) {
        const int8_t *a = x, *b = w;
        for (int32_t n = patch.columns * in_c; n > 0; n--) {
            sum += (uint32_t)((*a++ - zero) * *b++);
        }
        x += x_row;
        w += w_row;
    }
    return (int32_t)sum;
}

int32_t tt_conv2d_next_sums(const tt_conv2d *p, tt_patch patch, const int8_t *x, const int8_t *w,
    const int32_t *bias, int32_t o, int32_t *sums) {
    int32_t in_c = p->window.in_c, out_c = p->window.out_c;
    int32_t taps = p->window.kernel_h * p->window.kernel_w * in_c, stride = taps;
    int32_t n = tt_min(4, out_c - o), before = 4 - n; /* the last four may overlap those before */
    int32_t four[4] = {0, 0, 0, 0};
    if (out_c < 4) { /* one, four times */
        n = 1;
        before = 0;
        stride = 0;
    }
    x += patch.pixel * in_c;
    w += (o - before) * taps + patch.tap * in_c;
    for (int32_t rows = patch.rows; rows > 0; rows--) {
        tt_dot_4(x, w, tt_max(patch.columns, 0) * in_c, stride, -p->in_zero, four);
        x += p->window.in_w * in_c;
        w += p->window.kernel_w * in_c;
    }
    for (int32_t i = 0; i < n; i++) {
        sums[i] = bias != NULL ? tt_wrap_add(four[before + i], bias[o + i]) : four[before + i];
    }
    return n;
}

void tt_conv2d_s32(
    const tt_conv2d *p, const int8_t *x, const int8_t *w, const int32_t *bias, int32_t *y) {
    const tt_window *win = &p->window;
    if (tt_fully_connected(win)) {
        tt_fully_connected_s32(p, x, w, bias, y);
        return;
    }
    int32_t sums[4];
    for (int32_t out_y = 0; out_y < win->out_h; out_y++) {
        for (int32_t out_x = 0; out_x < win->out_w; out_x++) {
            tt_patch patch = tt_patch_of(win, out_y, out_x);
            for (int32_t o = 0; o < win->out_c;) {
                int32_t n = tt_conv2d_next_sums(p, patch, x, w, bias, o, sums);
                for (int32_t i = 0; i < n; i++, o++) {
                    *y++ = sums[i];
                }
            }
        }
    }
}

/* Add to sums [n] what output pixel dy [out_c] sends through tap `tap` of the kernel, whose weights for
 * the first of n input channels are at w. */
static void add_tap(const tt_conv2d_bwd_input_params *p, const tt_mantissa *dy, const int8_t *w,
    const uint16_t *scale, int32_t tap, int32_t *sums, int32_t n) {
    int32_t in_c = p->window.in_c, out_c = p->window.out_c;
    int32_t filter = p->window.kernel_h * p->window.kernel_w * in_c;
    int32_t one = 1 << p->headroom;
    const int8_t *row = w + tap * in_c;
    for (int32_t o = 0; o < out_c; o++, row += filter) {
        int32_t g = (dy[o] * one * scale[o] + (1 << 14)) >> 15; /* |dy| * one < 2^15 */
        if (g == 0) {                                           /* clipped outputs are common */
            continue;
        }
        for (int32_t i = 0; i < n; i++) {
            sums[i] = TT_ASSERT_RANGE(sums[i] + (tt_wide)g * row[i]);
        }
    }
}

/* The sums of n channels of the input pixel that `rows` and `columns` cover. */
static void pixel_sums(const tt_conv2d_bwd_input_params *p, const tt_grad *dy, const int8_t *w,
    const uint16_t *scale, tt_cover rows, tt_cover columns, int32_t *sums, int32_t n) {
    for (int32_t i = 0; i < n; i++) {
        sums[i] = 0;
    }
    tt_covering c = tt_covering_begin(rows, columns);
    while (tt_covering_next(&c, &p->window, columns)) {
        add_tap(p, dy->mantissa + c.pixel * p->window.out_c, w, scale, c.tap, sums, n);
    }
}

void tt_conv2d_bwd_input_plain(const tt_conv2d_bwd_input_params *p, const tt_grad *dy,
    const int8_t *w, const uint16_t *scale, tt_grad *dx, int32_t *scratch, tt_part *part) {
    const tt_window *win = &p->window;
    if (win->in_h * win->in_w == 1) {
        tt_span some = tt_channels_take(part, win->in_c);
        tt_grad_writer writer = tt_grad_resume(dx, p->limit, dy->exponent + p->exponent, part);
        int32_t n = some.last - some.first;
        pixel_sums(p, dy, w + some.first, scale, tt_cover_begin(win->pad_top, win->stride_h),
            tt_cover_begin(win->pad_left, win->stride_w), scratch, n);
        tt_grad_push(&writer, scratch, n);
        tt_grad_pause(&writer, part);
        return;
    }
    tt_span span = tt_part_take(part, win->in_h * win->in_w);
    tt_grad_writer writer = tt_grad_resume(dx, p->limit, dy->exponent + p->exponent, part);
    int32_t y = (int32_t)tt_divide((uint32_t)span.first, (uint32_t)win->in_w);
    int32_t x = span.first - y * win->in_w;
    tt_cover rows = tt_cover_begin(win->pad_top + y, win->stride_h);
    for (int32_t left = span.last - span.first; left > 0; x = 0) {
        tt_cover columns = tt_cover_begin(win->pad_left + x, win->stride_w);
        for (; x < win->in_w && left > 0; x++, left--, tt_cover_next(&columns, win->stride_w)) {
            pixel_sums(p, dy, w, scale, rows, columns, scratch, win->in_c);
            tt_grad_push(&writer, scratch, win->in_c);
        }
        tt_cover_next(&rows, win->stride_h);
    }
    tt_grad_pause(&writer, part);
}

/* Output channels one after the other, each tap by tap: a part may end between any two. */
typedef struct {
    int32_t o, tap; /* the next */
    int32_t left;   /* taps of this part */
} sums_at;

static sums_at sums_begin(const tt_conv2d_bwd_weight_params *p, tt_part *part) {
    int32_t taps = p->window.kernel_h * p->window.kernel_w;
    tt_span span = tt_part_take(part, p->window.out_c * taps);
    int32_t o = (int32_t)tt_divide((uint32_t)span.first, (uint32_t)taps);
    sums_at at = {o, span.first - o * taps, span.last - span.first};
    return at;
}

/* Go on with the sums of output channel at->o, d [kernel_h,kernel_w,channels]; 1 when they are
 * complete, at->o being the next channel then; 0 where the part ends. */
static int next_sums(sums_at *at, const tt_conv2d_bwd_weight_params *p, const tt_grad *dy,
    const int8_t *x, int32_t *d) {
    const tt_window *win = &p->window;
    int32_t tap = 0;
    for (int32_t ky = 0; ky < win->kernel_h; ky++) {
        for (int32_t kx = 0; kx < win->kernel_w; kx++, tap++) {
            if (tap < at->tap) {
                continue;
            }
            if (at->left == 0) {
                return 0;
            }
            tt_tap t = tt_tap_of(win, ky, kx);
            tt_tap_sums(&t, dy->mantissa + at->o, x, p->in_zero, p->row_shift, p->channels,
                d + tap * p->channels);
            at->tap++;
            at->left--;
        }
    }
    at->tap = 0;
    at->o++;
    return 1;
}

/* A fully connected layer: what is added up for a weight is one product. */
static void update_row_by_row(const tt_conv2d_bwd_weight_params *p, const tt_grad *dy,
    const int8_t *x, tt_rate *rate, const uint16_t *step_mantissa, const int8_t *step_exponent,
    int8_t *w, int8_t *fraction, tt_part *part) {
    tt_span span = tt_part_take(part, p->window.out_c);
    for (int32_t o = span.first; o < span.last; o++) {
        tt_step step = tt_step_of(rate, step_mantissa[o], step_exponent[o] + dy->exponent);
        tt_update_products(rate, step, dy->mantissa[o], p->in_zero, x, p->channels,
            w + o * p->window.in_c, fraction + o * p->channels);
    }
}

void tt_conv2d_bwd_weight_plain(const tt_conv2d_bwd_weight_params *p, const tt_grad *dy,
    const int8_t *x, tt_rate *rate, const uint16_t *step_mantissa, const int8_t *step_exponent,
    int8_t *w, int8_t *fraction, int32_t *d, tt_part *part) {
    const tt_window *win = &p->window;
    if (rate != NULL && p->row_shift == 0 && tt_fully_connected(win)) {
        update_row_by_row(p, dy, x, rate, step_mantissa, step_exponent, w, fraction, part);
        return;
    }
    int32_t taps = win->kernel_h * win->kernel_w;
    sums_at at = sums_begin(p, part);
    w += at.o * taps * win->in_c;
    fraction += at.o * taps * p->channels;
    d += rate == NULL ? at.o * taps * p->channels : 0;
    while (at.left > 0 && next_sums(&at, p, dy, x, d)) {
        if (rate == NULL) {
            d += taps * p->channels;
            continue;
        }
        int32_t o = at.o - 1;
        tt_step step =
            tt_step_of(rate, step_mantissa[o], step_exponent[o] + dy->exponent + p->row_shift);
        const int32_t *sum = d;
        for (int32_t tap = 0; tap < taps; tap++) {
            tt_update_weights(rate, step, sum, p->channels, w, fraction);
            sum += p->channels;
            fraction += p->channels;
            w += win->in_c;
        }
    }
}

void tt_conv2d_bwd_weight__optimizer(const tt_conv2d_train_params *p, const tt_grad *dy,
    const int8_t *x, tt_rate *rate, const uint16_t *step_mantissa, const int8_t *step_exponent,
    int8_t *w, uint8_t *fraction, int16_t *velocity, int32_t *d, tt_part *part) {
    int32_t exponent = dy->exponent + p->gradient.row_shift;
    sums_at at = sums_begin(&p->gradient, part);
    while (at.left > 0 && next_sums(&at, &p->gradient, dy, x, d)) {
        int32_t o = at.o - 1;
        tt_factor factor = {step_mantissa[o], step_exponent[o] + exponent};
        tt_optimize_weights(&p->trained, rate, rate, factor, o, d, w, fraction, velocity);
    }
}

void tt_conv2d_bwd_weight__batch(const tt_conv2d_train_params *p, const tt_grad *dy,
    const int8_t *x, tt_rate *rate, const uint16_t *step_mantissa, const int8_t *step_exponent,
    int8_t *w, uint8_t *fraction, int16_t *velocity, tt_sums *sums, int32_t *d, tt_part *part) {
    if (!rate->accumulate) {
        tt_conv2d_bwd_weight__optimizer(
            p, dy, x, rate, step_mantissa, step_exponent, w, fraction, velocity, d, part);
        return;
    }
    int32_t row = p->trained.groups * p->trained.run, exponent = dy->exponent;
    if (exponent != TT_ZERO_EXPONENT) {
        exponent += p->gradient.row_shift;
    }
    sums_at at = sums_begin(&p->gradient, part);
    while (at.left > 0 && next_sums(&at, &p->gradient, dy, x, d)) {
        int32_t first = (at.o - 1) * row;
        tt_accumulate(sums, p->trained.rows * row, rate, d, first, row, exponent);
    }
}
