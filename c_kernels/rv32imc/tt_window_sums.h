/* Sums of one channel's windows where there are 31 registers, four side by side at a time: what they have in
 * common is loaded once. Whoever includes this says what a plane consists of, as TT_ELEMENT. */
#ifndef TT_WINDOW_SUMS_H
#define TT_WINDOW_SUMS_H

#include "tinytrain.h"

#define TT_INLINE static inline __attribute__((always_inline))
#define TT_OUTLINE static __attribute__((noinline)) /* its loop has all registers */

/* Not later: sums that wait for the next row, and what it loads, fill registers. */
#define TT_NOW(v) __asm__("" : "+r"(v))

/* Three taps side by side for four sums. */
TT_INLINE void tt_add_quad(uint32_t *s, const TT_ELEMENT *v, const uint32_t *k) {
    uint32_t p = (uint32_t)v[0], q = (uint32_t)v[1], r = (uint32_t)v[2];
    s[0] += p * k[0];
    s[0] += q * k[1];
    s[1] += q * k[0];
    s[0] += r * k[2];
    s[1] += r * k[1];
    s[2] += r * k[0];
    p = (uint32_t)v[3];
    s[1] += p * k[2];
    s[2] += p * k[1];
    s[3] += p * k[0];
    q = (uint32_t)v[4];
    s[2] += q * k[2];
    s[3] += q * k[1];
    s[3] += (uint32_t)v[5] * k[2];
    TT_NOW(s[0]);
    TT_NOW(s[1]);
    TT_NOW(s[2]);
    TT_NOW(s[3]);
}

/* And for one. */
TT_INLINE void tt_add_one(uint32_t *s, const TT_ELEMENT *v, const uint32_t *k) {
    *s += (uint32_t)v[0] * k[0];
    *s += (uint32_t)v[1] * k[1];
    *s += (uint32_t)v[2] * k[2];
    TT_NOW(*s);
}

/* A tap for four sums. */
TT_INLINE void tt_add_tap(uint32_t *s, const TT_ELEMENT *v, uint32_t tap, int32_t stride) {
    s[0] += (uint32_t)v[0] * tap;
    s[1] += (uint32_t)v[stride] * tap;
    s[2] += (uint32_t)v[2 * stride] * tap;
    s[3] += (uint32_t)v[3 * stride] * tap;
}

/* Rows of n taps for four sums. */
TT_INLINE void tt_add_taps(uint32_t *s, const TT_ELEMENT *v, int32_t pitch, const uint32_t *t,
    int32_t rows, int32_t n, int32_t stride) {
    for (; rows > 0; rows--, v += pitch - n) {
        for (const TT_ELEMENT *end = v + n; v != end; v++) {
            TT_NOW(v); /* else what the next tap needs, too, is moved from register to register */
            tt_add_tap(s, v, *t++, stride);
        }
    }
}

/* The same for five to seven taps side by side, which are unrolled, and a stride of 1. */
TT_INLINE void tt_add_wide(
    uint32_t *s, const TT_ELEMENT *v, int32_t pitch, const uint32_t *t, int32_t rows, int32_t n) {
    for (; rows > 0; rows--, v += pitch, t += n) {
        tt_add_tap(s, v, t[0], 1);
        tt_add_tap(s, v + 1, t[1], 1);
        tt_add_tap(s, v + 2, t[2], 1);
        tt_add_tap(s, v + 3, t[3], 1);
        tt_add_tap(s, v + 4, t[4], 1);
        if (n > 5) {
            tt_add_tap(s, v + 5, t[5], 1);
        }
        if (n > 6) {
            tt_add_tap(s, v + 6, t[6], 1);
        }
    }
}

#endif
