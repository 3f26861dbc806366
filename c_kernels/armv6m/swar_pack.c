/* Weights of two output channels in a word: packed/tt_swar.h says what the tiles make of them. */
#include "tt_swar.h"

uint32_t *tt_pack_lanes(
    uint32_t *to, const int8_t *low, const int8_t *high, int32_t n, int32_t step, int32_t *sums);

/* A pair of channels; sums: of the weights of either. */
static void pack_pair(
    uint32_t *to, const int8_t *low, int32_t taps, int32_t depth, int32_t pairs, int32_t *sums) {
    const int8_t *high = low + taps;
    int32_t k = taps & ~1;
    if (k > 0) {
        to = tt_pack_lanes(to, low, high, k, 8 * pairs, sums);
    }
    for (; k < depth; k += 2, to += 2 * pairs) {
        int32_t a = 0, b = 0;
        if (k < taps) {
            a = low[k];
            b = high[k];
        }
        sums[0] += a;
        sums[1] += b;
        to[0] = ((uint32_t)b << 16) + (uint32_t)a;
        to[1] = 0;
    }
}

void tt_swar_pack(tt_swar_group *group, const tt_conv2d *p, int32_t pairs, int32_t depth,
    const int8_t *w, int32_t taps, const int32_t *bias) {
    for (int32_t n = 0; n < pairs; n++, w += 2 * taps) {
        int32_t sums[2] = {0, 0};
        pack_pair(group->weights + 2 * n, w, taps, depth, pairs, sums);
        tt_swar_start(group->starts + 2 * n, p, sums, depth, bias != NULL ? bias + 2 * n : NULL);
    }
}
