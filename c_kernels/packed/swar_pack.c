/* Weights of two output channels in a word: tt_swar.h says what the tiles make of them. */
#include "tt_swar.h"

void tt_swar_pack(tt_swar_group *group, const tt_conv2d *p, int32_t pairs, int32_t depth,
    const int8_t *w, int32_t taps, const int32_t *bias) {
    for (int32_t n = 0; n < pairs; n++) {
        const int8_t *low = w + 2 * n * taps, *high = low + taps;
        uint32_t *to = group->weights + 2 * n;
        int32_t sum_low = 0, sum_high = 0, k = 0;
        for (; k < depth; k += 2, to += 2 * pairs) {
            for (int32_t i = 0; i < 2; i++) {
                int32_t a = 0, b = 0;
                if (k + i < taps) {
                    a = low[k + i];
                    b = high[k + i];
                }
                sum_low += a;
                sum_high += b;
                to[i] = ((uint32_t)b << 16) + (uint32_t)a;
            }
        }
        /* the inputs' zero point, the biases, and what every step adds to T */
        uint32_t start_low = (uint32_t)(-p->in_zero * sum_low);
        uint32_t start_high = (uint32_t)(-p->in_zero * sum_high);
        if (bias != NULL) {
            start_low += (uint32_t)bias[2 * n];
            start_high += (uint32_t)bias[2 * n + 1];
        }
        start_low += (start_high << 16) - ((uint32_t)depth << 14);
        group->starts[2 * n] = (int32_t)start_low;
        group->starts[2 * n + 1] = (int32_t)start_high;
    }
}
