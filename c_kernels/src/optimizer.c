/* Momentum, weight decay, other precisions of weights, and sums over a batch. */
#include <stdbool.h>

#include "tt_optimizer.h"

#define TO_NEAREST 0x80000000u
#define SUM_LIMIT ((1 << 30) - 1)
#define WEIGHT_VELOCITY_LIMIT 32767

void tt_decay_set(tt_rate *rate, uint32_t float_bits) {
    tt_rate factor;
    tt_rate_set(&factor, float_bits);
    rate->decay_mantissa = factor.mantissa;
    rate->decay_exponent = factor.exponent;
}

void tt_momentum_set(tt_rate *rate, uint32_t float_bits) {
    uint32_t significand = (float_bits & 0x7fffffu) | 0x800000u;
    int32_t shift = 134 - (int32_t)((float_bits >> 23) & 0xffu); /* >= 8, as the value is below 1 */
    if (shift > 25) {
        rate->momentum = 0;
        return;
    }
    uint32_t value = (significand + (1u << (shift - 1))) >> shift;
    rate->momentum = value > 65535u ? 65535 : (int32_t)value;
}

/* ---- rounding --------------------------------------------------------------------------------- */

/* floor(x / 2^n + dither), n >= 0; no sum leaves 32 bits. */
static int32_t dithered_shift(int32_t x, int32_t n, uint32_t dither) {
    if (n == 0) {
        return x;
    }
    if (n > 31) { /* what is cut off is below 2^-31 */
        x >>= tt_min(n - 31, 31);
        n = 31;
    }
    uint32_t rest = (uint32_t)x & ((1u << n) - 1u);
    return (x >> n) + (int32_t)((rest + (dither >> (32 - n))) >> n);
}

/* floor(v * m / 2^16 + dither), 0 <= m < 2^16, |v| <= 2^28. */
static int32_t dithered_product(int32_t v, int32_t m, uint32_t dither) {
    uint32_t low = ((uint32_t)v & 0xffffu) * (uint32_t)m + (dither >> 16);
    return (v >> 16) * m + (int32_t)(low >> 16);
}

/* The next dither for what a velocity is made of. Mixed (a permutation of 32 bits, of C. Wellons),
 * since a velocity remembers its roundings: with an even sequence they would fall in step with that
 * of the weight, which then drifts by a percent or two. */
static uint32_t mixed_dither(tt_rate *rate) {
    uint32_t x = tt_dither(rate);
    x = (x ^ (x >> 16)) * 0x7feb352du;
    x = (x ^ (x >> 15)) * 0x846ca68bu;
    return x ^ (x >> 16);
}

/* ---- one parameter ---------------------------------------------------------------------------- */

static tt_step step_for(const tt_optimizer *p, const tt_rate *rate, tt_factor factor) {
    return tt_step_of(rate, factor.mantissa, factor.exponent + p->velocity_bits - TT_FRACTION_BITS);
}

/* The step of the weight decay, whose "gradient" is the weight in units of 2^-fraction_bits. */
static tt_step decay_step(const tt_optimizer *p, const tt_rate *rate) {
    tt_step layer =
        tt_step_of(rate, (uint32_t)p->layer_mantissa, p->layer_exponent - TT_FRACTION_BITS);
    tt_rate own = *rate;
    own.mantissa = (int32_t)layer.mantissa;
    own.exponent = -layer.shift;
    tt_factor decay = {(uint32_t)rate->decay_mantissa, rate->decay_exponent - p->fraction_bits};
    return step_for(p, &own, decay);
}

/* rate * gradient (of a sum, or of a decaying weight), for a velocity or for the weight itself. */
static int32_t pull(
    const tt_optimizer *p, tt_rate *rate, tt_step step, int32_t sum, bool velocity) {
    if (velocity) {
        return tt_delta_at(step, sum, mixed_dither(rate));
    }
    uint32_t dither = tt_dither(rate);
    return tt_delta_at(step, sum, p->nearest ? TO_NEAREST : dither);
}

/* The new velocity; |pull| <= 2^29. */
static int32_t accelerate(tt_rate *rate, int32_t velocity, int32_t pull, int32_t limit) {
    int32_t v = dithered_product(velocity, rate->momentum, mixed_dither(rate)) + pull;
    return tt_min(tt_max(v, -limit), limit);
}

/* What a velocity moves a parameter by, in units of 2^-fraction_bits. */
static int32_t movement(const tt_optimizer *p, tt_rate *rate, int32_t velocity) {
    uint32_t dither = tt_dither(rate);
    int32_t n = p->velocity_bits - p->fraction_bits;
    return dithered_shift(velocity, n, p->nearest ? TO_NEAREST : dither);
}

static int32_t get_fraction(const tt_optimizer *p, const uint8_t *fraction, int32_t i) {
    if (p->fraction_bits == 8) {
        return (int8_t)fraction[i];
    }
    if (p->fraction_bits == 0) {
        return 0;
    }
    uint32_t nibble = ((uint32_t)fraction[i >> 1] >> ((i & 1) * 4)) & 15u;
    return (int32_t)(nibble ^ 8u) - 8;
}

static void set_fraction(const tt_optimizer *p, uint8_t *fraction, int32_t i, int32_t value) {
    if (p->fraction_bits == 8) {
        fraction[i] = (uint8_t)value;
    } else if (p->fraction_bits == 4) {
        int32_t shift = (i & 1) * 4;
        uint32_t other = fraction[i >> 1] & (0xf0u >> shift);
        fraction[i >> 1] = (uint8_t)(other | (((uint32_t)value & 15u) << shift));
    }
}

/* value - delta, saturated; the fraction becomes that of the result. delta is not 0. */
static int32_t move(const tt_optimizer *p, int32_t delta, int32_t value, int32_t *fraction) {
    int32_t rest = *fraction - delta;
    int32_t carry = (rest + ((1 << p->fraction_bits) >> 1)) >> p->fraction_bits;
    *fraction = rest - carry * (1 << p->fraction_bits);
    value += carry;
    if (value > p->limit || value < -p->limit) {
        value = value > p->limit ? p->limit : -p->limit;
        *fraction = 0;
    }
    return value;
}

void tt_optimize_weights(const tt_trained *p, tt_rate *rate, const tt_rate *sums_rate,
    tt_factor factor, int32_t row, const int32_t *sums, int8_t *w, uint8_t *fraction,
    int16_t *velocity) {
    const tt_optimizer *how = &p->optimizer;
    if (factor.mantissa == 0) {
        return;
    }
    tt_step step = step_for(how, sums_rate, factor), decay = decay_step(how, rate);
    int32_t i = row * p->groups * p->run;
    w += row * p->row_step;
    for (int32_t group = 0; group < p->groups; group++, w += p->group_step) {
        for (int32_t k = 0; k < p->run; k++, i++) {
            int32_t rest = get_fraction(how, fraction, i);
            int32_t delta = pull(how, rate, step, *sums++, velocity != NULL);
            if (decay.mantissa != 0) {
                int32_t value = w[k] * (1 << how->fraction_bits) + rest;
                delta += pull(how, rate, decay, value, velocity != NULL);
            }
            if (velocity != NULL) {
                velocity[i] = (int16_t)accelerate(rate, velocity[i], delta, WEIGHT_VELOCITY_LIMIT);
                delta = movement(how, rate, velocity[i]);
            }
            if (delta != 0) {
                w[k] = (int8_t)move(how, delta, w[k], &rest);
                set_fraction(how, fraction, i, rest);
            }
        }
    }
}

void tt_optimize_bias(const tt_optimizer *p, tt_rate *rate, const tt_rate *sums_rate,
    tt_factor factor, int32_t i, int32_t sum, int32_t *bias, uint8_t *fraction, int32_t *velocity) {
    if (factor.mantissa == 0) {
        return;
    }
    int32_t delta = pull(p, rate, step_for(p, sums_rate, factor), sum, velocity != NULL);
    if (velocity != NULL) {
        velocity[i] = accelerate(rate, velocity[i], delta, TT_DELTA_LIMIT);
        delta = movement(p, rate, velocity[i]);
    }
    if (delta != 0) { /* |delta| <= 2^28; a limit is at most 2^30 */
        int32_t rest = get_fraction(p, fraction, i);
        int32_t inside = tt_min(tt_max(bias[i], -p->limit), p->limit);
        bias[i] = move(p, delta, inside, &rest);
        set_fraction(p, fraction, i, rest);
    }
}

/* ---- batches ---------------------------------------------------------------------------------- */

static int32_t largest(const int32_t *values, int32_t n) {
    int32_t most = 0;
    for (int32_t i = 0; i < n; i++) {
        most = tt_max(most, tt_abs(values[i]));
    }
    return most;
}

/* Whether sums of up to `sum` may receive up to d * 2^up. */
static bool has_room(int32_t sum, int32_t d, int32_t up) {
    if (d == 0) {
        return true;
    }
    if (up > 0) {
        return up < 30 && d <= (SUM_LIMIT - sum) >> up;
    }
    return (d >> tt_min(-up, 31)) < SUM_LIMIT - sum;
}

/* By how much all sums must be shifted down before a row of d, scaled by 2^up, can be added. */
static int32_t needed_shift(int32_t sum, int32_t d, int32_t up) {
    int32_t shift = 0;
    while (!has_room(shift == 0 ? sum : (sum >> tt_min(shift, 31)) + 1, d, up - shift)) {
        shift++;
    }
    return shift;
}

void tt_accumulate(tt_sums *sums, int32_t size, tt_rate *rate, const int32_t *d, int32_t at,
    int32_t n, int32_t exponent) {
    if (exponent == TT_ZERO_EXPONENT) {
        return;
    }
    if (sums->exponent == TT_ZERO_EXPONENT) {
        sums->exponent = exponent;
    }
    int32_t *row = sums->sum + at;
    int32_t shift = needed_shift(largest(row, n), largest(d, n), exponent - sums->exponent);
    if (shift > 0) {
        for (int32_t i = 0; i < size; i++) {
            sums->sum[i] = dithered_shift(sums->sum[i], shift, tt_dither(rate));
        }
        sums->exponent += shift;
    }
    int32_t up = exponent - sums->exponent;
    for (int32_t i = 0; i < n; i++) {
        if (up < 0) {
            row[i] += dithered_shift(d[i], -up, tt_dither(rate));
        } else if (d[i] != 0) {
            row[i] += d[i] * (1 << up);
        }
    }
}

/* The rate divided by count: of sums, when their mean is meant. */
static tt_rate mean_rate(const tt_rate *rate, int32_t count) {
    tt_rate mean = *rate;
    while (count >= 1 << 15) { /* what is lost is below 2^-14 of it */
        count = (count >> 1) + (count & 1);
        mean.exponent--;
    }
    /* 2^30 <= mantissa * 2^16 < 2^31, so the quotient has 16 to 31 bits */
    uint32_t quotient = tt_divide((uint32_t)mean.mantissa << 16, (uint32_t)count);
    mean.exponent -= 16;
    while (quotient >= 1u << 15) {
        quotient = (quotient + (quotient < 1u << 16)) >> 1; /* rounded when the last bit goes */
        mean.exponent++;
    }
    mean.mantissa = (int32_t)quotient;
    return mean;
}

static void clear(tt_sums *sums, int32_t size) {
    for (int32_t i = 0; i < size; i++) {
        sums->sum[i] = 0;
    }
    sums->exponent = TT_ZERO_EXPONENT;
}

void tt_weight_apply(const tt_trained *p, tt_sums *sums, int32_t count, tt_rate *rate,
    const uint16_t *step_mantissa, const int8_t *step_exponent, int8_t *w, uint8_t *fraction,
    int16_t *velocity) {
    tt_rate mean = mean_rate(rate, count);
    int32_t row = p->groups * p->run;
    for (int32_t o = 0; o < p->rows; o++) {
        tt_factor factor = {step_mantissa[o], step_exponent[o] + sums->exponent};
        tt_optimize_weights(p, rate, &mean, factor, o, sums->sum + o * row, w, fraction, velocity);
    }
    clear(sums, p->rows * row);
}

void tt_bias_apply(const tt_bias_train_params *p, tt_sums *sums, int32_t count, tt_rate *rate,
    const uint16_t *step_mantissa, const int8_t *step_exponent, int32_t *bias, uint8_t *fraction,
    int32_t *velocity) {
    tt_rate mean = mean_rate(rate, count);
    for (int32_t o = 0; o < p->gradient.channels; o++) {
        tt_factor factor = {step_mantissa[o], step_exponent[o] + sums->exponent};
        tt_optimize_bias(
            &p->optimizer, rate, &mean, factor, o, sums->sum[o], bias, fraction, velocity);
    }
    clear(sums, p->gradient.channels);
}
