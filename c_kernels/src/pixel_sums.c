/* Sums of the channels of a gradient over its pixels. */
#include "tt_gradient.h"

void tt_pixel_sums(const tt_mantissa *dy, int32_t pixels, int32_t channels, int32_t *d) {
    for (; pixels > 0; pixels--) {
        for (int32_t o = 0; o < channels; o++) {
            d[o] = TT_ASSERT_RANGE((tt_wide)d[o] + *dy++);
        }
    }
}
