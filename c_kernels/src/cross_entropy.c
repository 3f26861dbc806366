/* Softmax cross-entropy and its gradient in 32-bit arithmetic. */
#include "tt_exponential.h"
#include "tt_gradient.h"

#define LOSS_BITS 20    /* of the loss */
#define LN_2_Q20 726817 /* ln(2) * 2^20 */

int32_t tt_softmax_cross_entropy_scratch(const tt_cross_entropy *p) {
    return 4 * p->classes;
}

/* A sum of exponentials, of which one at least is exp(0): value * 2^(powers - EXP_BITS),
 * 2^EXP_BITS <= value < 2^(EXP_BITS + 1). */
typedef struct {
    uint32_t value;
    int32_t powers;
} exp_sum;

/* Up to 2^12 exponentials of 2^29 are 41 bits: added in two halves. */
static exp_sum sum_of(const int32_t *exps, int32_t n) {
    uint32_t low = 0, high = 0;
    for (int32_t i = 0; i < n; i++) {
        low += (uint32_t)exps[i] & 0xffffu;
        high += (uint32_t)exps[i] >> 16;
    }
    high += low >> 16;
    low &= 0xffffu;
    int32_t powers = 0;
    while ((high >> powers) >= (1u << (EXP_BITS + 1 - 16))) {
        powers++;
    }
    exp_sum sum = {(high << (16 - powers)) | (low >> powers), powers};
    return sum;
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

void tt_softmax_cross_entropy(const tt_cross_entropy *p, const int32_t *sums,
    const int32_t *multiplier, const int8_t *shift, int32_t label, tt_grad *d_logits, int32_t *loss,
    int32_t *scratch) {
    int32_t largest = INT32_MIN;
    for (int32_t c = 0; c < p->classes; c++) {
        scratch[c] = tt_requantize_s32(sums[c], multiplier[c], shift[c]);
        largest = tt_max(largest, scratch[c]);
    }
    int32_t distance = largest - scratch[label];
    for (int32_t c = 0; c < p->classes; c++) {
        scratch[c] = tt_exp_minus(largest - scratch[c]);
    }
    exp_sum sum = sum_of(scratch, p->classes);
    *loss = loss_of(distance, sum);

    uint32_t reciprocal = tt_reciprocal_of_total(sum.value);
    int32_t others = 0;
    for (int32_t c = 0; c < p->classes; c++) {
        scratch[c] = tt_mul_shift16(scratch[c], reciprocal) >> sum.powers;
        others += c == label ? 0 : scratch[c];
    }
    scratch[label] = -others;
    tt_grad_writer writer = tt_grad_begin(d_logits, p->limit, -EXP_BITS);
    tt_grad_push(&writer, scratch, p->classes);
    tt_grad_end(&writer);
}
