/* Softmax cross-entropy and its gradient in 32-bit arithmetic. */
#include "tt_exponential.h"
#include "tt_gradient.h"
#include "tt_plain.h"
#include "tt_sum64.h"

#define LOSS_BITS 20    /* of the loss */
#define LN_2_Q20 726817 /* ln(2) * 2^20 */

/* x[c] = exp(x[c] - largest); returns their sum. */
static tt_sum64 exponentials(int32_t *x, int32_t n, int32_t largest) {
    tt_sum64 sum = {0, 0};
    for (int32_t c = 0; c < n; c++) {
        x[c] = tt_exp_minus(largest - x[c]);
        sum.low += (uint32_t)x[c];
        sum.high += sum.low < (uint32_t)x[c];
    }
    return sum;
}

/* A sum of exponentials, of which one at least is exp(0): value * 2^(powers - EXP_BITS),
 * 2^EXP_BITS <= value < 2^(EXP_BITS + 1). */
typedef struct {
    uint32_t value;
    int32_t powers;
} exp_sum;

static exp_sum normalized(tt_sum64 sum) {
    exp_sum normal = {sum.low, 0};
    for (uint32_t high = sum.high; high != 0u || (normal.value >> (EXP_BITS + 1)) != 0u;
        high >>= 1) {
        normal.value = (normal.value >> 1) | (high << 31);
        normal.powers++;
    }
    return normal;
}

/* ln(sum) in units of 2^-20; |error| <= 4.1e-5, relative error 7e-4. */
static int32_t ln_of(exp_sum sum) {
    uint32_t x = sum.value - (1u << EXP_BITS); /* value / 2^EXP_BITS - 1 in [0, 1) */
    int32_t x20 = (int32_t)(x >> (EXP_BITS - LOSS_BITS));
    return tt_mul_shift16(x20, tt_ln_factor(x)) + sum.powers * LN_2_Q20;
}

/* distance (units of 2^-12) + ln(sum) in units of 2^-20, saturated. */
static int32_t loss_of(int32_t distance, exp_sum sum) {
    const int32_t up = LOSS_BITS - LOGIT_BITS;
    int32_t rest = ln_of(sum);
    if (distance >= (INT32_MAX >> up) - (rest >> up)) {
        return INT32_MAX;
    }
    return distance * (1 << up) + rest;
}

/* m[c] = a mantissa of p = exps[c] / sum, cut by `shift` bits; returns the sum of all p. */
static int32_t probabilities(const int32_t *exps, int32_t n, uint32_t reciprocal, int32_t powers,
    int32_t shift, tt_mantissa *m) {
    int32_t sum = 0;
    for (int32_t c = 0; c < n; c++) {
        int32_t probability = tt_mul_shift16(exps[c], reciprocal) >> powers;
        sum += probability;
        m[c] = tt_grad_cut(probability, c, 0, shift);
    }
    return sum;
}

/* The smallest shift that makes a magnitude fit, looked for from `shift` on. */
static inline int32_t shift_of(int32_t limit, int32_t magnitude, int32_t shift) {
    while (!tt_grad_fits(limit, magnitude, shift)) {
        shift++;
    }
    while (shift > 0 && tt_grad_fits(limit, magnitude, shift - 1)) {
        shift--;
    }
    return shift;
}

/* The gradient is probability - 1 at the label, written as minus the sum of the others: none of them is
 * larger, so that sum alone says by how much all are shifted. The shift is guessed before, nearly
 * always right. */
static void write_gradient(
    const tt_cross_entropy *p, const int32_t *exps, exp_sum sum, int32_t label, tt_grad *d_logits) {
    uint32_t reciprocal = tt_reciprocal_of_total(sum.value);
    int32_t own = tt_mul_shift16(exps[label], reciprocal) >> sum.powers;
    int32_t others = (1 << EXP_BITS) - own, shift, next = EXP_BITS + 1 - TT_GRADIENT_BITS;
    do {
        shift = shift_of(p->limit, others, next);
        others = probabilities(exps, p->classes, reciprocal, sum.powers, shift, d_logits->mantissa);
        others -= own;
        next = shift_of(p->limit, others, shift);
    } while (next != shift);
    d_logits->mantissa[label] = tt_grad_cut(-others, label, 0, shift);
    d_logits->exponent = shift - EXP_BITS;
    if (shift == 0) { /* the largest may be small */
        tt_grad_normalize(d_logits, p->classes, p->limit, -EXP_BITS);
    }
}

void tt_softmax_cross_entropy(const tt_cross_entropy *p, const int32_t *sums,
    const int32_t *multiplier, const int8_t *shift, int32_t label, tt_grad *d_logits, int32_t *loss,
    int32_t *scratch) {
    int32_t largest = tt_requantize_row(sums, multiplier, shift, p->classes, scratch);
    int32_t distance = largest - scratch[label];
    exp_sum sum = normalized(exponentials(scratch, p->classes, largest));
    *loss = loss_of(distance, sum);
    write_gradient(p, scratch, sum, label, d_logits);
}
