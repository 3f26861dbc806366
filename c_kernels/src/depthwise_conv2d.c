/* Depthwise convolution: the gradient of its weights, and what the planner asks. */
#include "tt_gradient.h"
#include "tt_optimizer.h"
#include "tt_plain.h"
#include "tt_windows.h"

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
