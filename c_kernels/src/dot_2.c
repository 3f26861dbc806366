/* Sums of products for two output channels. */
#include "tt_plain.h"

void tt_dot_2(
    const int8_t *x, const int8_t *w, int32_t n, int32_t stride, int32_t offset, int32_t *sums) {
    const int8_t *w1 = w + stride;
    uint32_t a = (uint32_t)sums[0], b = (uint32_t)sums[1];
    for (int32_t k = 0; k < n; k++) {
        int32_t v = x[k] + offset;
        a += (uint32_t)(v * w[k]);
        b += (uint32_t)(v * w1[k]);
    }
    sums[0] = (int32_t)a;
    sums[1] = (int32_t)b;
}
