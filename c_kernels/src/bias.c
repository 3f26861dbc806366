/* The gradient of a bias: the sum of the output gradient over all pixels. */
#include "tt_gradient.h"
#include "tt_optimizer.h"

int32_t tt_bias_bwd_scratch(const tt_bias_bwd_params *p) {
    return 4 * p->channels;
}

/* bias -= delta; saturates at +-limit, if it moves. */
static void update_bias(int32_t delta, int32_t limit, int32_t *bias, int8_t *fraction) {
    if (delta == 0) {
        return;
    }
    int32_t rest = *fraction - delta;
    int32_t carry = (rest + (1 << (TT_FRACTION_BITS - 1))) >> TT_FRACTION_BITS;
    rest -= carry * (1 << TT_FRACTION_BITS);
    int32_t value = tt_min(tt_max(*bias, -limit), limit) + carry; /* limit <= 2^30, carry < 2^21 */
    if (value > limit || value < -limit) {
        value = value > limit ? limit : -limit;
        rest = 0;
    }
    *bias = value;
    *fraction = (int8_t)rest;
}

/* 1 when the sums are complete, 0 where a part ends. */
static int sum_pixels(const tt_bias_bwd_params *p, const tt_grad *dy, int32_t *d, tt_part *part) {
    tt_span span = tt_part_take(part, p->pixels);
    for (int32_t o = 0; span.first == 0 && o < p->channels; o++) {
        d[o] = 0;
    }
    const tt_mantissa *g = dy->mantissa + span.first * p->channels;
    tt_pixel_sums(g, span.last - span.first, p->channels, d);
    return span.last == p->pixels;
}

void tt_bias_bwd(const tt_bias_bwd_params *p, const tt_grad *dy, tt_rate *rate,
    const uint16_t *step_mantissa, const int8_t *step_exponent, int32_t *bias, int8_t *fraction,
    int32_t *d, tt_part *part) {
    if (!sum_pixels(p, dy, d, part) || rate == NULL) {
        return;
    }
    for (int32_t o = 0; o < p->channels; o++) {
        tt_step step = tt_step_of(rate, step_mantissa[o], step_exponent[o] + dy->exponent);
        update_bias(tt_delta(rate, step, d[o]), p->bias_limit, &bias[o], &fraction[o]);
    }
}

void tt_bias_bwd__optimizer(const tt_bias_train_params *p, const tt_grad *dy, tt_rate *rate,
    const uint16_t *step_mantissa, const int8_t *step_exponent, int32_t *bias, uint8_t *fraction,
    int32_t *velocity, int32_t *d, tt_part *part) {
    if (!sum_pixels(&p->gradient, dy, d, part)) {
        return;
    }
    for (int32_t o = 0; o < p->gradient.channels; o++) {
        tt_factor factor = {step_mantissa[o], step_exponent[o] + dy->exponent};
        tt_optimize_bias(&p->optimizer, rate, rate, factor, o, d[o], bias, fraction, velocity);
    }
}

void tt_bias_bwd__batch(const tt_bias_train_params *p, const tt_grad *dy, tt_rate *rate,
    const uint16_t *step_mantissa, const int8_t *step_exponent, int32_t *bias, uint8_t *fraction,
    int32_t *velocity, tt_sums *sums, int32_t *d, tt_part *part) {
    if (!rate->accumulate) {
        tt_bias_bwd__optimizer(
            p, dy, rate, step_mantissa, step_exponent, bias, fraction, velocity, d, part);
        return;
    }
    if (!sum_pixels(&p->gradient, dy, d, part)) {
        return;
    }
    int32_t n = p->gradient.channels;
    tt_accumulate(sums, n, rate, d, 0, n, dy->exponent);
}
