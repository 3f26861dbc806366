/* The inner loop of the gradients of a single pixel: four weights at a time as two pairs. */
#include "tt_dsp.h"
#include "tt_tile.h"

/* The sums of weights 0, 1, 2, 3. */
typedef struct {
    int32_t a, b, c, d;
} quad;

/* Add a factor's products; |f[0]| < 2^15. */
TT_INLINE void add(quad *q, const int32_t *f, const int8_t *w) {
    uint32_t g = (uint32_t)f[0], v = tt_load_4(w + f[1]);
    uint32_t even = tt_even_bytes(v), odd = tt_odd_bytes(v);
    q->a = tt_multiply_low_low(g, even, q->a);
    q->b = tt_multiply_low_low(g, odd, q->b);
    q->c = tt_multiply_low_high(g, even, q->c);
    q->d = tt_multiply_low_high(g, odd, q->d);
}

void tt_gradient_row(
    const int32_t *factors, int32_t n, const int8_t *w, int32_t quads, int32_t *sums) {
    const int32_t *end = factors + 2 * n;
    for (; quads > 0; quads--, w += 4, sums += 4) {
        quad q = {0, 0, 0, 0};
        for (const int32_t *f = factors; f != end; f += 4) { /* n is even */
            add(&q, f, w);
            add(&q, f + 2, w);
        }
        sums[0] = q.a;
        sums[1] = q.b;
        sums[2] = q.c;
        sums[3] = q.d;
    }
}
