/* Sum of two tensors of different scales. */
#include "tt_arithmetic.h"

#define HEADROOM 20 /* bits by which the reference shifts the inputs up */

void tt_add_s8(const tt_add *p, const int8_t *a, const int8_t *b, int8_t *y, uint8_t *clip) {
    tt_clip_writer writer = tt_clip_begin(clip);
    for (int32_t i = 0; i < p->size; i++) {
        int32_t ra = (a[i] - p->a_zero) * (1 << HEADROOM);
        int32_t rb = (b[i] - p->b_zero) * (1 << HEADROOM);
        int32_t sum = tt_requantize_s32(ra, p->a_multiplier, p->a_shift) +
                      tt_requantize_s32(rb, p->b_multiplier, p->b_shift);
        int32_t v =
            tt_wrap_add(tt_requantize_s32(sum, p->out_multiplier, p->out_shift), p->out_zero);
        y[i] = tt_clamp(v, p->low, p->high, &writer);
    }
}
