/* The update of trained parameters: subtract rate * gradient, keep what is below one integer. */
#ifndef TT_UPDATE_H
#define TT_UPDATE_H

#include "tt_arithmetic.h"

#define TT_DELTA_LIMIT (1 << 28)
#define TT_DITHER_STEP 0x6a09e667u /* 2^32 times the fractional part of sqrt(2) */

/* The next value of the dither. It advances by 2^32 times the fractional part of sqrt(2), and from
 * step to step by that of the golden ratio: their multiples modulo 2^32 fill the range evenly
 * (Weyl), over the steps for each parameter, over the parameters in each step. */
static inline uint32_t tt_dither(tt_rate *rate) {
    rate->dither += TT_DITHER_STEP;
    return rate->dither;
}

/* How the sums of one output channel become updates in units of 2^-TT_FRACTION_BITS:
 * delta = floor(sum * mantissa / 2^shift + dither), dither in [0, 1), mantissa < 2^15. */
typedef struct {
    uint32_t mantissa;
    int32_t shift;
} tt_step;

/* Combine the learning rate, the channel's constant and the exponent of the sums. */
tt_step tt_step_of(const tt_rate *rate, uint32_t mantissa, int32_t exponent);

/* The update of one parameter for a given dither: 2^31 rounds to the nearest. |delta| <= 2^28. */
static inline int32_t tt_delta_at(tt_step step, int32_t sum, uint32_t dither) {
    int32_t scaled, shift = step.shift; /* delta = scaled / 2^shift, |scaled| < 2^30 */
    if (sum > -(1 << 15) && sum < (1 << 15)) {
        scaled = sum * (int32_t)step.mantissa;
    } else { /* what is cut off is below 2^-13 of it */
        scaled = tt_mul_shift16(sum, step.mantissa);
        shift -= 16;
    }
    if (shift <= 0) {
        int32_t room = shift < -28 ? 0 : TT_DELTA_LIMIT >> -shift;
        if (tt_abs(scaled) > room) {
            return scaled > 0 ? TT_DELTA_LIMIT : -TT_DELTA_LIMIT;
        }
        return shift < -28 ? 0 : scaled * (1 << -shift);
    }
    if (shift > 30) { /* far below one unit: what is cut off is below 2^-30 of it */
        scaled >>= tt_min(shift - 30, 31);
        shift = 30;
    }
    int32_t delta = (scaled + (int32_t)(dither >> (32 - shift))) >> shift;
    return tt_min(tt_max(delta, -TT_DELTA_LIMIT), TT_DELTA_LIMIT);
}

/* The same; advances the dither. */
int32_t tt_delta(tt_rate *rate, tt_step step, int32_t sum);

/* tt_delta_at for many sums, where it shifts down: whether it does, and by how much. Sums below 2^15, small
 * ones, are shifted by `before`, then with the dither by `shift`, 2 <= shift <= 30; others likewise. */
typedef struct {
    int32_t mantissa;
    int32_t small_before, small_shift, before, shift;
} tt_divider;

static inline int tt_divides(tt_step step) {
    return step.shift >= 16 + 2;
}

static inline tt_divider tt_divider_of(tt_step step) {
    int32_t over = step.shift - 30;
    tt_divider d = {(int32_t)step.mantissa, tt_min(tt_max(over, 0), 31), tt_min(step.shift, 30),
        tt_min(tt_max(over - 16, 0), 31), tt_min(step.shift - 16, 30)};
    return d;
}

static inline int32_t tt_divided(const tt_divider *d, int32_t sum, uint32_t dither) {
    if ((uint32_t)sum + 0x7fffu <= 0xfffeu) { /* |sum| < 2^15 */
        int32_t scaled = (sum * d->mantissa) >> d->small_before;
        return (scaled + (int32_t)(dither >> (32 - d->small_shift))) >> d->small_shift;
    }
    int32_t scaled = tt_mul_shift16(sum, (uint32_t)d->mantissa) >> d->before;
    return (scaled + (int32_t)(dither >> (32 - d->shift))) >> d->shift;
}

/* w -= delta for an int8 weight and its fraction; saturates at +-127, if it moves. */
static inline void tt_update_weight(int32_t delta, int8_t *w, int8_t *fraction) {
    if (delta == 0) {
        return;
    }
    int32_t rest = *fraction - delta;
    int32_t carry = (rest + (1 << (TT_FRACTION_BITS - 1))) >> TT_FRACTION_BITS;
    int32_t value = *w + carry;
    rest -= carry * (1 << TT_FRACTION_BITS);
    if (value > 127 || value < -127) {
        value = value > 127 ? 127 : -127;
        rest = 0;
    }
    *w = (int8_t)value;
    *fraction = (int8_t)rest;
}

/* Update n weights side by side by their sums, each with the next dither. */
void tt_update_weights(
    tt_rate *rate, tt_step step, const int32_t *sums, int32_t n, int8_t *w, int8_t *fraction);

/* The same for sums g * (x[i] - zero), |g| < 2^15. */
void tt_update_products(tt_rate *rate, tt_step step, int32_t g, int32_t zero, const int8_t *x,
    int32_t n, int8_t *w, int8_t *fraction);

#endif
