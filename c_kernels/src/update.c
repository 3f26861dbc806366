/* The learning rate, and how sums become updates. */
#include "tt_update.h"

/* 2^32 times the fractional part of the golden ratio; see tt_dither. */
#define DITHER_PER_STEP 0x9e3779b9u

void tt_rate_set(tt_rate *rate, uint32_t float_bits) {
    uint32_t fraction = float_bits & 0x7fffffu;
    int32_t exponent = (int32_t)((float_bits >> 23) & 0xffu);
    if (exponent == 0) { /* zero; subnormal rates move nothing */
        rate->mantissa = 0;
        rate->exponent = 0;
        return;
    }
    /* 1.fraction * 2^(exponent - 127) = mantissa * 2^(exponent - 141), rounded to 15 bits */
    uint32_t mantissa = ((fraction | 0x800000u) + (1u << 8)) >> 9;
    if (mantissa == (1u << 15)) {
        mantissa >>= 1;
        exponent++;
    }
    rate->mantissa = (int32_t)mantissa;
    rate->exponent = exponent - 141;
}

void tt_rate_begin(tt_rate *rate, uint32_t step) {
    rate->dither = step * DITHER_PER_STEP;
}

tt_step tt_step_of(const tt_rate *rate, uint32_t mantissa, int32_t exponent) {
    /* both mantissas lie in [2^14, 2^15) or are 0 */
    uint32_t product = (uint32_t)rate->mantissa * mantissa;
    int32_t shift = -(rate->exponent + exponent + TT_FRACTION_BITS);
    uint32_t combined = (product + (1u << 14)) >> 15;
    shift -= 15;
    if (combined < (1u << 14)) { /* product in [2^28, 2^29) */
        combined = (product + (1u << 13)) >> 14;
        shift += 1;
    }
    tt_step step = {combined, shift};
    return step;
}

int32_t tt_delta(tt_rate *rate, tt_step step, int32_t sum) {
    return tt_delta_at(step, sum, tt_dither(rate));
}

void tt_update_weights(
    tt_rate *rate, tt_step step, const int32_t *sums, int32_t n, int8_t *w, int8_t *fraction) {
    if (!tt_divides(step)) {
        for (int32_t i = 0; i < n; i++) {
            tt_update_weight(tt_delta(rate, step, sums[i]), w + i, fraction + i);
        }
        return;
    }
    tt_divider divider = tt_divider_of(step);
    uint32_t dither = rate->dither;
    for (int32_t i = 0; i < n; i++) {
        dither += TT_DITHER_STEP;
        tt_update_weight(tt_divided(&divider, sums[i], dither), w + i, fraction + i);
    }
    rate->dither = dither;
}

uint32_t tt_loss_bits(int32_t value) {
    if (value <= 0) {
        return 0;
    }
    uint32_t mantissa = (uint32_t)value;
    int32_t exponent = 127 + 30 - 20;
    while (mantissa < (1u << 30)) {
        mantissa <<= 1;
        exponent--;
    }
    return ((uint32_t)exponent << 23) | ((mantissa >> 7) & 0x7fffffu);
}
