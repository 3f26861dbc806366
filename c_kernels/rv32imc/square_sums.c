/* The loop of pointwise gradients where there are 31 registers: four rows of four columns at a time. */
#include "tt_square.h"

#define INLINE static inline __attribute__((always_inline))

typedef struct {
    int32_t a, b, c, d; /* columns */
} row;

INLINE row get(const int32_t *sums, int add) {
    row r = {0, 0, 0, 0};
    if (add) {
        row s = {sums[0], sums[1], sums[2], sums[3]};
        r = s;
    }
    return r;
}

INLINE void put(row r, int32_t *sums) {
    sums[0] = r.a;
    sums[1] = r.b;
    sums[2] = r.c;
    sums[3] = r.d;
}

void tt_square_sums(const int32_t *g, const int8_t *v, int32_t step, int32_t n, int32_t columns,
    int32_t *sums, int32_t pitch, int add) {
    for (; columns > 3; columns -= 4, v += 4, sums += 4) {
        int32_t *second = sums + pitch, *third = second + pitch, *last = third + pitch;
        row p = get(sums, add), q = get(second, add), r = get(third, add), s = get(last, add);
        const int32_t *factors = g;
        const int8_t *x = v;
#pragma GCC unroll 2
        for (const int32_t *end = g + 4 * n; factors != end; factors += 4, x += step) {
            int32_t f0 = factors[0], f1 = factors[1], f2 = factors[2], f3 = factors[3];
            int32_t w = x[0];
            p.a += f0 * w;
            q.a += f1 * w;
            r.a += f2 * w;
            s.a += f3 * w;
            w = x[1];
            p.b += f0 * w;
            q.b += f1 * w;
            r.b += f2 * w;
            s.b += f3 * w;
            w = x[2];
            p.c += f0 * w;
            q.c += f1 * w;
            r.c += f2 * w;
            s.c += f3 * w;
            w = x[3];
            p.d += f0 * w;
            q.d += f1 * w;
            r.d += f2 * w;
            s.d += f3 * w;
        }
        put(p, sums);
        put(q, second);
        put(r, third);
        put(s, last);
    }
    for (; columns > 0; columns--, v++, sums++) {
        int32_t *to = sums;
        for (int32_t r = 0; r < 4; r++, to += pitch) {
            int32_t sum = add ? *to : 0;
            for (int32_t k = 0; k < n; k++) {
                sum += g[4 * k + r] * v[k * step];
            }
            *to = sum;
        }
    }
}
