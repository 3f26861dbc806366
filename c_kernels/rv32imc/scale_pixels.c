/* Factors of tiles, four pixels at a time. */
#include "tt_tile.h"

void tt_scale_pixels(const tt_conv2d_bwd_input_params *p, const tt_tile *tile,
    const tt_mantissa *dy, const uint16_t *scale, int32_t *g) {
    int32_t n = tile->n, one = 1 << p->headroom, filled = tile->filled;
    /* rows that mean no pixel are one of the others once more */
    const tt_mantissa *second = dy + (filled > 1 ? n : 0), *third = second + (filled > 2 ? n : 0);
    const tt_mantissa *last = third + (filled > 3 ? n : 0);
    for (const int32_t *end = g + 4 * n; g != end; g += 4) {
        int32_t factor = *scale++ * one;
        g[0] = tt_real_gradient(*dy++, 1, factor);
        g[1] = tt_real_gradient(*second++, 1, factor);
        g[2] = tt_real_gradient(*third++, 1, factor);
        g[3] = tt_real_gradient(*last++, 1, factor);
    }
}
