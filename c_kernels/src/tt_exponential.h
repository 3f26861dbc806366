/* Exponentials and logarithms in 32-bit fixed point, for the losses. */
#ifndef TT_EXPONENTIAL_H
#define TT_EXPONENTIAL_H

#include "tt_arithmetic.h"

#define LOGIT_BITS 12               /* fraction bits of a logit */
#define EXP_BITS 29                 /* of an exponential and of a probability */
#define LOG2_E_Q14 23637u           /* log2(e) * 2^14 */
#define FARTHEST (22 << LOGIT_BITS) /* exp(-22) is below the resolution */

/* exp(-t) with EXP_BITS fraction bits, t >= 0 in units of 2^-12.
 * 2^-f on [0, 1) is 1 - 0.69142 f + 0.23056 f^2 - 0.03913 f^3 within 1.1e-4, exact at both ends. */
static inline int32_t tt_exp_minus(int32_t t) {
    if (t >= FARTHEST) {
        return 0;
    }
    uint32_t power = ((uint32_t)t * LOG2_E_Q14) >> 10; /* t * log2(e) in units of 2^-16 */
    uint32_t f = power & 0xffffu;
    uint32_t poly = (2565u * f) >> 16;
    poly = ((15110u - poly) * f) >> 16;
    poly = ((45313u - poly) * f) >> 16;
    return (int32_t)(((65536u - poly) << (EXP_BITS - 16)) >> (power >> 16));
}

/* ln(1 + x) / x * 2^16 for x in [0, 1] in units of 2^-29: Abramowitz and Stegun 4.1.43.
 * As rounded here: |error of ln| <= 4.1e-5, relative error 7e-4. */
static inline uint32_t tt_ln_factor(uint32_t x) {
    uint32_t x16 = x >> (EXP_BITS - 16);
    uint32_t poly = (2108u * x16) >> 16;
    poly = ((8917u - poly) * x16) >> 16;
    poly = ((18971u - poly) * x16) >> 16;
    poly = ((32238u - poly) * x16) >> 16;
    return 65503u - poly;
}

/* 2^29 * e / total for total in [2^29, 2^30], e <= total: through 2^31 / (the upper 16 bits of the
 * total), which is in [2^15, 2^16]. */
static inline uint32_t tt_reciprocal_of_total(uint32_t total) {
    uint32_t d = total >> (EXP_BITS + 1 - 16);
#if TT_NARROW
    /* A line within 1/17, then two steps of Newton's, q = q + q * (1 - q * d / 2^31), which end at most one
     * below (tests/kernels/test_arithmetic.py has all d). q < 2^17 and |rest| <= 2^31 / 17, 2^31 / 288. */
    uint32_t q = 92521u - ((61681u * d) >> 16);
    int32_t rest = (int32_t)((1u << 31) - q * d);
    q += (uint32_t)(((int32_t)q * (rest >> 13)) >> 18);
    rest = (int32_t)((1u << 31) - q * d);
    q += (uint32_t)(((int32_t)q * (rest >> 8)) >> 23);
    return q + ((1u << 31) - q * d >= d);
#else
    return (1u << 31) / d;
#endif
}

#endif
