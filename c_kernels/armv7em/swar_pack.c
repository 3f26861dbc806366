/* Weights as pairs of int16 for SMLAD: [depth / 4][channel][2], of each four weights (0, 2), (1, 3). */
#include "tt_swar.h"

void tt_swar_pack(tt_swar_group *group, const tt_conv2d *p, int32_t pairs, int32_t depth,
    const int8_t *w, int32_t taps, const int32_t *bias) {
    for (int32_t c = 0; c < 2 * pairs; c++, w += taps) {
        uint32_t *to = group->weights + 2 * c;
        int32_t sum = 0;
        for (int32_t k = 0; k < depth; k += 4, to += 4 * pairs) {
            uint32_t four[4] = {0, 0, 0, 0};
            for (int32_t i = 0; i < tt_min(4, taps - k); i++) {
                sum += w[k + i];
                four[i] = (uint32_t)w[k + i];
            }
            to[0] = (four[0] & 0xffffu) | four[2] << 16;
            to[1] = (four[1] & 0xffffu) | four[3] << 16;
        }
        /* the inputs' zero point and the biases */
        uint32_t start = (uint32_t)(-p->in_zero * sum);
        group->starts[c] = (int32_t)(bias != NULL ? start + (uint32_t)bias[c] : start);
    }
}
