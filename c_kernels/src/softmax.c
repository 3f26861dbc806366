/* Softmax of int8 in the fixed point that the reference (gemmlowp, fixedpoint.h) uses.
 *
 * A number in Qm is an int32 whose real value is raw * 2^(m - 31): m integer bits. */
#include "tt_arithmetic.h"

#define ONE INT32_MAX /* 1.0 in Q0, as far as it goes */

/* x * 2^n with saturation. */
static int32_t shift_left_saturating(int32_t x, int32_t n) {
    int32_t limit = (int32_t)(0x7fffffffu >> n);
    if (x > limit) {
        return INT32_MAX;
    }
    return x < -limit - 1 ? INT32_MIN : (int32_t)((uint32_t)x << n);
}

/* exp(a) for a in [-1/4, 0), Q0 to Q0: Taylor's series around -1/8. */
static int32_t exp_small(int32_t a) {
    const int32_t exp_minus_eighth = 1895147668, third = 715827883;
    int32_t x = a + (1 << 28);
    int32_t x2 = tt_mul_high_signed(x, x);
    int32_t x3 = tt_mul_high_signed(x2, x);
    int32_t x4 = tt_mul_high_signed(x2, x2);
    int32_t tail = tt_mul_high_signed(tt_round_shift(x4, 2) + x3, third) + x2;
    return exp_minus_eighth + tt_mul_high_signed(exp_minus_eighth, x + tt_round_shift(tail, 1));
}

/* exp(a) for a <= 0, Q5 to Q0: exp of the part below 1/4, times exp(-2^k) for every other bit. */
static int32_t exp_q5(int32_t a) {
    /* exp(-2^k) in Q0, k = -2..4 */
    const int32_t factors[7] = {
        1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242};
    const int32_t quarter = 1 << 24;
    int32_t rest = (a & (quarter - 1)) - quarter;
    int32_t result = exp_small(shift_left_saturating(rest, 5));
    int32_t whole = rest - a;
    for (int32_t k = 0; k < 7; k++) {
        if (whole & (1 << (24 + k))) {
            result = tt_mul_high_signed(result, factors[k]);
        }
    }
    return a == 0 ? ONE : result;
}

/* 1 / (1 + a) for a in [0, 1), Q0 to Q0: three steps of Newton and Raphson in Q2. */
static int32_t reciprocal_of_one_plus(int32_t a) {
    const int32_t c48_17 = 1515870810, c32_17 = 1010580540, one_q2 = 1 << 29;
    /* (a + 1) / 2, halves away from zero, without the 33rd bit */
    int32_t half = (a >> 1) + (1 << 30);
    int32_t x = c48_17 + tt_mul_high_signed(half, -c32_17);
    for (int i = 0; i < 3; i++) {
        int32_t residual = one_q2 - tt_mul_high_signed(half, x);
        x += shift_left_saturating(tt_mul_high_signed(x, residual), 2);
    }
    return shift_left_saturating(x, 1);
}

static int32_t leading_zeros(uint32_t x) {
    int32_t n = 0;
    while (n < 32 && !(x & 0x80000000u)) {
        x <<= 1;
        n++;
    }
    return n;
}

/* exp of a difference to the maximum, Q0. */
static int32_t exp_of(const tt_softmax *p, int32_t diff) {
    return exp_q5(tt_requantize_s32(diff, p->multiplier, p->shift));
}

void tt_softmax_s8(const tt_softmax *p, const int8_t *x, int8_t *y) {
    for (int32_t row = 0; row < p->rows; row++, x += p->depth, y += p->depth) {
        int32_t largest = -128, sum = 0; /* the sum in Q12 */
        for (int32_t i = 0; i < p->depth; i++) {
            largest = tt_max(largest, x[i]);
        }
        for (int32_t i = 0; i < p->depth; i++) {
            if (x[i] - largest >= p->diff_min) {
                sum += tt_round_shift(exp_of(p, x[i] - largest), 12);
            }
        }
        int32_t headroom = leading_zeros((uint32_t)sum);
        int32_t scale = reciprocal_of_one_plus((int32_t)(((uint32_t)sum << headroom) - (1u << 31)));
        int32_t shift = tt_min(12 - headroom + 31 - 8, 31);
        for (int32_t i = 0; i < p->depth; i++) {
            int32_t diff = x[i] - largest, v = -128;
            if (diff >= p->diff_min) {
                v += tt_round_shift(tt_mul_high_signed(scale, exp_of(p, diff)), shift);
            }
            y[i] = (int8_t)tt_min(tt_max(v, -128), 127);
        }
    }
}
