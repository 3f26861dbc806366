/* Binary cross-entropy of independent labels and its gradient in 32-bit arithmetic. */
#include "tt_exponential.h"
#include "tt_gradient.h"
#include "tt_sum64.h"

void tt_sigmoid_cross_entropy(const tt_sigmoid *p, const int32_t *sums, const int32_t *multiplier,
    const int8_t *shift, const int8_t *target, tt_grad *d_logits, int32_t *loss) {
    uint32_t reciprocal = (uint32_t)p->reciprocal;
    tt_grad_writer writer = tt_grad_begin(d_logits, p->limit, 16 - EXP_BITS - p->reciprocal_bits);
    tt_sum64 sum = {0, 0};
    int32_t channel = 0;
    for (int32_t i = 0; i < p->size; i++) {
        int32_t logit = tt_requantize_s32(sums[i], multiplier[channel], shift[channel]);
        int32_t distance = tt_abs(logit);
        channel = channel + 1 == p->channels ? 0 : channel + 1;

        /* |sigmoid(logit) - target| is sigmoid(-|logit|) if the sign is right, else 1 minus it */
        int32_t e = tt_exp_minus(distance);
        uint32_t total = (1u << EXP_BITS) + (uint32_t)e;
        int32_t error = tt_mul_shift16(e, tt_reciprocal_of_total(total));
        tt_sum64_add(&sum, (uint32_t)tt_mul_shift16(e, tt_ln_factor((uint32_t)e)), 0);
        if ((logit >= 0) != (target[i] != 0)) {
            error = (1 << EXP_BITS) - error;
            tt_sum64_add(&sum, (uint32_t)distance, EXP_BITS - LOGIT_BITS);
        }
        int32_t mean = tt_mul_shift16(error, reciprocal);
        tt_grad_push_one(&writer, target[i] != 0 ? -mean : mean);
    }
    tt_grad_end(&writer);
    *loss = tt_sum64_scaled(sum, reciprocal, p->reciprocal_bits + EXP_BITS - 20);
}
