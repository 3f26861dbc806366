/* A sum of 64 bits in two words, for losses that add up many elements. */
#ifndef TT_SUM64_H
#define TT_SUM64_H

#include "tt_arithmetic.h"

typedef struct {
    uint32_t low, high;
} tt_sum64;

/* sum + x * 2^up, 0 <= up < 32; stays at 2^64 - 1 once there. */
static inline void tt_sum64_add(tt_sum64 *sum, uint32_t x, uint32_t up) {
    uint32_t low = x << up, high = up == 0u ? 0u : x >> (32u - up);
    uint32_t new_low = sum->low + low;
    high += new_low < low; /* x >> 1 at most: cannot wrap */
    uint32_t new_high = sum->high + high;
    if (new_high < high) {
        new_low = new_high = UINT32_MAX;
    }
    sum->low = new_low;
    sum->high = new_high;
}

/* sum * factor * 2^-shift, 2^15 <= factor <= 2^16, rounded down, at most 2^31 - 1. */
static inline int32_t tt_sum64_scaled(tt_sum64 sum, uint32_t factor, int32_t shift) {
    if ((sum.low | sum.high) == 0u) {
        return 0;
    }
    while (sum.high != 0u || (sum.low >> 31) != 0u) { /* to 31 bits */
        sum.low = (sum.low >> 1) | (sum.high << 31);
        sum.high >>= 1;
        shift--;
    }
    while ((sum.low >> 30) == 0u) {
        sum.low <<= 1;
        shift++;
    }
    int32_t product = tt_mul_shift16((int32_t)sum.low, factor); /* in [2^29, 2^31) */
    shift -= 16;
    if (shift >= 0) {
        return shift > 30 ? 0 : product >> shift;
    }
    return shift == -1 && product < (1 << 30) ? product * 2 : INT32_MAX;
}

#endif
