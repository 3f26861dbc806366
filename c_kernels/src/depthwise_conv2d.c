/* Depthwise convolution: forward and backward. */
#include "tt_gradient.h"
#include "tt_optimizer.h"
#include "tt_plain.h"
#include "tt_windows.h"

/* sum (x - in_zero) * w over a patch; x and w point at one channel. */
static int32_t patch_sum(const tt_conv2d *p, tt_patch patch, const int8_t *x, const int8_t *w) {
    int32_t in_c = p->window.in_c, out_c = p->window.out_c, zero = p->in_zero;
    int32_t x_row = p->window.in_w * in_c, w_row = p->window.kernel_w * out_c;
    uint32_t sum = 0;
    x += patch.pixel * in_c;
    w += patch.tap * out_c;
    for (int32_t rows = patch.rows; rows > 0; rows--) {
        const int8_t *a = x, *b = w;
        for (int32_t n = patch.columns; n > 0; n--) {
            sum += (uint32_t)((*a - zero) * *b);
            a += in_c;
            b += out_c;
        }
        x += x_row;
        w += w_row;
    }
    return (int32_t)sum;
}

void tt_depthwise_conv2d_s8_plain(const tt_conv2d *p, const int8_t *x, const int8_t *w,
    const int32_t *bias, const int32_t *multiplier, const int8_t *shift, int8_t *y, uint8_t *clip) {
    const tt_window *win = &p->window;
    int32_t per_input = (int32_t)tt_divide((uint32_t)win->out_c, (uint32_t)win->in_c);
    tt_clip_writer writer = tt_clip_begin(clip);
    for (int32_t out_y = 0; out_y < win->out_h; out_y++) {
        for (int32_t out_x = 0; out_x < win->out_w; out_x++) {
            tt_patch patch = tt_patch_of(win, out_y, out_x);
            for (int32_t o = 0, c = 0; c < win->in_c; c++) {
                for (int32_t m = 0; m < per_input; m++, o++) {
                    int32_t sum = patch_sum(p, patch, x + c, w + o);
                    sum = bias != NULL ? tt_wrap_add(sum, bias[o]) : sum;
                    int32_t v =
                        tt_wrap_add(tt_requantize_s32(sum, multiplier[o], shift[o]), p->out_zero);
                    *y++ = tt_clamp(v, p->low, p->high, &writer);
                }
            }
        }
    }
}

int32_t tt_depthwise_conv2d_s8_lead(const tt_conv2d *p) {
    const tt_window *w = &p->window;
    int32_t beyond = tt_window_left(w, w->out_w - 1) >= w->in_w; /* a window right of the map */
    if (w->in_c != w->out_c || w->out_w > w->in_w || beyond) {
        return -1;
    }
    /* the window of the first pixel begins so far before x; windows move at least as fast as y */
    int32_t lead = (w->pad_top * w->in_w + w->pad_left) * w->in_c;
    while ((lead & 3) != 0) { /* stay on the same channel */
        lead += w->in_c;
    }
    return lead;
}

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

static int32_t per_input(const tt_conv2d_bwd_weight_params *p) {
    return (int32_t)tt_divide((uint32_t)p->window.out_c, (uint32_t)p->window.in_c);
}

/* The sums of output channel o: d [kernel_h,kernel_w], and with `packed` scratch behind it. */
static void channel_sums(const tt_conv2d_bwd_weight_params *p, const tt_grad *dy, const int8_t *x,
    int32_t o, int32_t *d, int32_t packed) {
    x += tt_divide((uint32_t)o, (uint32_t)per_input(p));
    int32_t *scratch = packed ? d + p->window.kernel_h * p->window.kernel_w : NULL;
    tt_depthwise_sums(p, dy->mantissa + o, x, d, scratch);
}

void tt_depthwise_conv2d_bwd_weight(const tt_conv2d_bwd_weight_params *p, const tt_grad *dy,
    const int8_t *x, tt_rate *rate, const uint16_t *step_mantissa, const int8_t *step_exponent,
    int8_t *w, int8_t *fraction, int32_t *d, tt_part *part) {
    const tt_window *win = &p->window;
    int32_t taps = win->kernel_h * win->kernel_w, trained = p->channels * per_input(p);
    tt_span span = tt_part_take(part, trained);
    d += rate == NULL ? span.first * taps : 0;
    for (int32_t o = span.first; o < span.last; o++) {
        channel_sums(p, dy, x, o, d, rate != NULL);
        if (rate == NULL) {
            d += taps;
            continue;
        }
        tt_step step =
            tt_step_of(rate, step_mantissa[o], step_exponent[o] + dy->exponent + p->row_shift);
        for (int32_t tap = 0; tap < taps; tap++) {
            tt_update_weight(tt_delta(rate, step, d[tap]), w + tap * win->out_c + o,
                fraction + tap * trained + o);
        }
    }
}

void tt_depthwise_conv2d_bwd_weight__optimizer(const tt_conv2d_train_params *p, const tt_grad *dy,
    const int8_t *x, tt_rate *rate, const uint16_t *step_mantissa, const int8_t *step_exponent,
    int8_t *w, uint8_t *fraction, int16_t *velocity, int32_t *d, tt_part *part) {
    int32_t exponent = dy->exponent + p->gradient.row_shift;
    tt_span span = tt_part_take(part, p->trained.rows);
    for (int32_t o = span.first; o < span.last; o++) {
        channel_sums(&p->gradient, dy, x, o, d, 1);
        tt_factor factor = {step_mantissa[o], step_exponent[o] + exponent};
        tt_optimize_weights(&p->trained, rate, rate, factor, o, d, w, fraction, velocity);
    }
}

void tt_depthwise_conv2d_bwd_weight__batch(const tt_conv2d_train_params *p, const tt_grad *dy,
    const int8_t *x, tt_rate *rate, const uint16_t *step_mantissa, const int8_t *step_exponent,
    int8_t *w, uint8_t *fraction, int16_t *velocity, tt_sums *sums, int32_t *d, tt_part *part) {
    if (!rate->accumulate) {
        tt_depthwise_conv2d_bwd_weight__optimizer(
            p, dy, x, rate, step_mantissa, step_exponent, w, fraction, velocity, d, part);
        return;
    }
    int32_t row = p->trained.groups * p->trained.run, exponent = dy->exponent;
    if (exponent != TT_ZERO_EXPONENT) {
        exponent += p->gradient.row_shift;
    }
    tt_span span = tt_part_take(part, p->trained.rows);
    for (int32_t o = span.first; o < span.last; o++) {
        channel_sums(&p->gradient, dy, x, o, d, 1);
        tt_accumulate(sums, p->trained.rows * row, rate, d, o * row, row, exponent);
    }
}
