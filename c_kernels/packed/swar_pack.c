/* Weights of two output channels in a word: tt_swar.h says what the tiles make of them. */
#include "tt_swar.h"

void tt_swar_pack(tt_swar_group *group, const tt_conv2d *p, int32_t pairs, int32_t depth,
    const int8_t *w, int32_t taps, const int32_t *bias) {
    for (int32_t n = 0; n < pairs; n++) {
        const int8_t *low = w + 2 * n * taps, *high = low + taps;
        uint32_t *to = group->weights + 2 * n;
        int32_t sums[2] = {0, 0};
        for (int32_t k = 0; k < depth; k += 2, to += 2 * pairs) {
            for (int32_t i = 0; i < 2; i++) {
                int32_t a = 0, b = 0;
                if (k + i < taps) {
                    a = low[k + i];
                    b = high[k + i];
                }
                sums[0] += a;
                sums[1] += b;
                to[i] = ((uint32_t)b << 16) + (uint32_t)a;
            }
        }
        tt_swar_start(group->starts + 2 * n, p, sums, depth, bias != NULL ? bias + 2 * n : NULL);
    }
}
