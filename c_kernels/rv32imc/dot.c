/* Sums of products for four output channels: two inputs at a time, for which the pointers move once. */
#include "tt_plain.h"

/* What input k adds, of value v; rows of weights begin at w. */
static inline void add_input(uint32_t *sums, int32_t v, const int8_t *const *w, int32_t k) {
    sums[0] += (uint32_t)(v * w[0][k]);
    sums[1] += (uint32_t)(v * w[1][k]);
    sums[2] += (uint32_t)(v * w[2][k]);
    sums[3] += (uint32_t)(v * w[3][k]);
}

void tt_dot_4(
    const int8_t *x, const int8_t *w, int32_t n, int32_t stride, int32_t offset, int32_t *sums) {
    const int8_t *rows[4] = {w, w + stride, w + 2 * stride, w + 3 * stride};
    uint32_t s[4] = {(uint32_t)sums[0], (uint32_t)sums[1], (uint32_t)sums[2], (uint32_t)sums[3]};
    for (; n >= 2; n -= 2, x += 2) {
        add_input(s, x[0] + offset, rows, 0);
        add_input(s, x[1] + offset, rows, 1);
        rows[0] += 2;
        rows[1] += 2;
        rows[2] += 2;
        rows[3] += 2;
    }
    if (n > 0) {
        add_input(s, x[0] + offset, rows, 0);
    }
    sums[0] = (int32_t)s[0];
    sums[1] = (int32_t)s[1];
    sums[2] = (int32_t)s[2];
    sums[3] = (int32_t)s[3];
}
