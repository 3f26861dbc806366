/* Sums of one channel to outputs, in C. */
#include "tt_swar.h"

int32_t tt_swar_outputs(
    const int32_t *sums, int32_t n, const tt_swar_scale *scale, int8_t *y, int32_t step) {
    tt_swar_scale s = *scale;
    for (int32_t i = 0; i < n; i++, y += step) {
        int32_t a = sums[i] >> s.pre;
        if (a == (int16_t)a) {
            int32_t low = a * s.multiplier + s.low, high = low + s.width;
            if ((low ^ high) >> 21 != 0) {
                return i;
            }
            a = low >> 21;
        }
        *y = (int8_t)(a == (int8_t)a ? a : (a < 0 ? -128 : 127));
    }
    return n;
}
