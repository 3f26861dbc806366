/* The inner loop of the gradients of a single pixel: four weights at a time as two pairs. */
#include "tt_dsp.h"
#include "tt_tile.h"

void tt_gradient_row(
    const int32_t *factors, int32_t n, const int8_t *w, int32_t quads, int32_t *sums) {
    const int32_t *end = factors + 2 * n;
    for (; quads > 0; quads--, w += 4, sums += 4) {
        int32_t a = 0, b = 0, c = 0, d = 0;
        for (const int32_t *f = factors; f != end; f += 2) { /* |f[0]| < 2^15 */
            uint32_t g = (uint32_t)f[0], v = tt_load_4(w + f[1]);
            uint32_t even = tt_even_bytes(v), odd = tt_odd_bytes(v);
            a = tt_multiply_low_low(g, even, a);
            b = tt_multiply_low_low(g, odd, b);
            c = tt_multiply_low_high(g, even, c);
            d = tt_multiply_low_high(g, odd, d);
        }
        sums[0] = a;
        sums[1] = b;
        sums[2] = c;
        sums[3] = d;
    }
}
