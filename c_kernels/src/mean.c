/* Mean over one of three axes: forward and backward. */
#include "tt_gradient.h"

void tt_mean_s8(const tt_mean *p, const int8_t *x, int8_t *y, uint8_t *clip) {
    tt_clip_writer writer = tt_clip_begin(clip);
    for (int32_t outer = 0; outer < p->outer; outer++) {
        for (int32_t inner = 0; inner < p->inner; inner++) {
            int32_t sum = 0;
            for (int32_t n = 0; n < p->count; n++) {
                sum += x[n * p->inner + inner] - p->in_zero;
            }
            int32_t v = tt_wrap_add(tt_requantize_s32(sum, p->multiplier, p->shift), p->out_zero);
            *y++ = tt_clamp(v, -128, 127, &writer);
        }
        x += p->count * p->inner;
    }
}

int32_t tt_mean_bwd_scratch(const tt_mean_bwd_params *p) {
    return 4 * p->inner;
}

void tt_mean_bwd(
    const tt_mean_bwd_params *p, const tt_grad *dy, tt_grad *dx, int32_t *scratch, tt_part *part) {
    const tt_mantissa *g = dy->mantissa;
    tt_span span = tt_part_take(part, p->outer);
    tt_grad_writer writer = tt_grad_resume(dx, p->limit, dy->exponent - p->reciprocal_bits, part);
    g += span.first * p->inner;
    for (int32_t outer = span.first; outer < span.last; outer++) {
        for (int32_t inner = 0; inner < p->inner; inner++) {
            scratch[inner] = TT_ASSERT_RANGE((tt_wide)*g++ * p->reciprocal); /* below 2^15 * 2^16 */
        }
        for (int32_t n = 0; n < p->count; n++) {
            tt_grad_push(&writer, scratch, p->inner);
        }
    }
    tt_grad_pause(&writer, part);
}
