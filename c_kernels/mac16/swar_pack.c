/* Weights as int16 for MAC16. */
#include "tt_mac16_tile.h"
#include "tt_swar.h"

/* `block` weights of a channel, 0 behind the first `taps`; returns their sum. */
static int32_t pack_block(const int8_t *w, int32_t taps, int32_t block, int16_t *to) {
    int32_t sum = 0;
    for (int32_t k = 0; k < block; k++) {
        int32_t v = k < taps ? w[k] : 0;
        to[(k & ~3) | (k & 1) << 1 | (k >> 1 & 1)] = (int16_t)v;
        sum += v;
    }
    return sum;
}

void tt_swar_pack(tt_swar_group *group, const tt_conv2d *p, int32_t pairs, int32_t depth,
    const int8_t *w, int32_t taps, const int32_t *bias) {
    int16_t *to = (int16_t *)(void *)group->weights;
    for (int32_t c = 0; c < 2 * pairs; c++) {
        group->starts[c] = bias != NULL ? bias[c] : 0;
    }
    for (int32_t k = 0; k < depth; k += TT_BLOCK) {
        int32_t block = tt_min(TT_BLOCK, depth - k);
        for (int32_t c = 0; c < 2 * pairs; c++, to += block) {
            int32_t sum = pack_block(w + c * taps + k, taps - k, block, to);
            /* inputs are 128 too large, and have their zero point */
            group->starts[c] = tt_wrap_add(group->starts[c], -(p->in_zero + 128) * sum);
        }
    }
}
