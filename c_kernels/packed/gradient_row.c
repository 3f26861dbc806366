/* The inner loop of the gradients of a single pixel in C. */
#include "tt_tile.h"

void tt_gradient_row(
    const int32_t *factors, int32_t n, const int8_t *w, int32_t quads, int32_t *sums) {
    for (; quads > 0; quads--, w += 4, sums += 4) {
        int32_t a = 0, b = 0, c = 0, d = 0;
        const int32_t *f = factors;
        for (int32_t i = n; i > 0; i--, f += 2) {
            const int8_t *row = w + f[1];
            a += f[0] * row[0];
            b += f[0] * row[1];
            c += f[0] * row[2];
            d += f[0] * row[3];
        }
        sums[0] = a;
        sums[1] = b;
        sums[2] = c;
        sums[3] = d;
    }
}
