/* Mean squared error and its gradient in 32-bit arithmetic. */
#include "tt_gradient.h"
#include "tt_sum64.h"

/* sum + error^2, error <= 2^30, by its first 16 bits. */
static void add_square(tt_sum64 *sum, uint32_t error) {
    uint32_t down = 0;
    while ((error >> down) >= (1u << 16)) {
        down++;
    }
    uint32_t first = error >> down;
    tt_sum64_add(sum, first * first, 2u * down);
}

void tt_mean_squared_error(const tt_squared_error *p, const int32_t *sums,
    const int32_t *multiplier, const int8_t *shift, int32_t as_input, const int8_t *target,
    tt_grad *d_output, int32_t *loss) {
    const tt_target *t = as_input ? &p->input : &p->output;
    tt_grad_writer writer = tt_grad_begin(d_output, p->limit, p->exponent);
    tt_sum64 sum = {0, 0};
    int32_t channel = 0;
    for (int32_t i = 0; i < p->size; i++) {
        int32_t y = tt_requantize_s32(sums[i], multiplier[channel], shift[channel]);
        int32_t error = y - tt_requantize_s32(target[i] - t->zero, t->multiplier, t->shift);
        channel = channel + 1 == p->channels ? 0 : channel + 1;
        add_square(&sum, (uint32_t)tt_abs(error));
        tt_grad_push_one(&writer, error);
    }
    tt_grad_end(&writer);
    *loss = tt_sum64_scaled(sum, (uint32_t)p->loss_factor, p->loss_shift);
}
