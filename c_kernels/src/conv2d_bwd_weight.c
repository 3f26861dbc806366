/* Gradient of a convolution's weights and their update: the entry for targets without a variant. */
#include "tt_plain.h"

void tt_conv2d_bwd_weight(const tt_conv2d_bwd_weight_params *p, const tt_grad *dy, const int8_t *x,
    tt_rate *rate, const uint16_t *step_mantissa, const int8_t *step_exponent, int8_t *w,
    int8_t *fraction, int32_t *d, tt_part *part) {
    tt_conv2d_bwd_weight_plain(p, dy, x, rate, step_mantissa, step_exponent, w, fraction, d, part);
}
