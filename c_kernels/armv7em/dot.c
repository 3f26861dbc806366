/* Sums of products for four output channels, four inputs at a time. */
#include "tt_dsp.h"
#include "tt_plain.h"

TT_INLINE uint32_t row_of(const int8_t *w, uint32_t even, uint32_t odd, uint32_t sum) {
    uint32_t v = tt_load_4(w);
    return tt_multiply_pairs(odd, tt_odd_bytes(v), tt_multiply_pairs(even, tt_even_bytes(v), sum));
}

void tt_dot_4(
    const int8_t *x, const int8_t *w, int32_t n, int32_t stride, int32_t offset, int32_t *sums) {
    const int8_t *w1 = w + stride, *w2 = w1 + stride, *w3 = w2 + stride;
    uint32_t a = (uint32_t)sums[0], b = (uint32_t)sums[1];
    uint32_t c = (uint32_t)sums[2], d = (uint32_t)sums[3];
    uint32_t both = ((uint32_t)offset & 0xffffu) | (uint32_t)offset << 16; /* x + offset: int16 */
    int32_t k = 0;
    for (; k + 4 <= n; k += 4) {
        uint32_t v = tt_load_4(x + k);
        uint32_t even = tt_add_even_bytes(both, v), odd = tt_add_odd_bytes(both, v);
        a = row_of(w + k, even, odd, a);
        b = row_of(w1 + k, even, odd, b);
        c = row_of(w2 + k, even, odd, c);
        d = row_of(w3 + k, even, odd, d);
    }
    for (; k < n; k++) {
        int32_t v = x[k] + offset;
        a += (uint32_t)(v * w[k]);
        b += (uint32_t)(v * w1[k]);
        c += (uint32_t)(v * w2[k]);
        d += (uint32_t)(v * w3[k]);
    }
    sums[0] = (int32_t)a;
    sums[1] = (int32_t)b;
    sums[2] = (int32_t)c;
    sums[3] = (int32_t)d;
}
