/* From one scale to another, with a clamp: QUANTIZE and the activations that stand alone. */
#include "tt_arithmetic.h"

void tt_requantize_s8(const tt_requantize *p, const int8_t *x, int8_t *y, uint8_t *clip) {
    tt_clip_writer writer = tt_clip_begin(clip);
    for (int32_t i = 0; i < p->size; i++) {
        int32_t v = x[i];
        if (!p->identity) {
            v = tt_wrap_add(
                tt_requantize_s32(v - p->in_zero, p->multiplier, p->shift), p->out_zero);
        }
        y[i] = tt_clamp(v, p->low, p->high, &writer);
    }
}

void tt_widen_s8(int32_t size, int32_t zero, const int8_t *x, int32_t *y) {
    for (int32_t i = 0; i < size; i++) {
        y[i] = x[i] - zero;
    }
}
