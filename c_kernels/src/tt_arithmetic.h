/* Integer arithmetic that every kernel shares. 64-bit products, divisions and shifts are written
 * so that no target needs a library routine for them. Right shifts of negatives are arithmetic. */
#ifndef TT_ARITHMETIC_H
#define TT_ARITHMETIC_H

#include "tinytrain.h"

#if (-3 >> 1) != -2
#error "right shift of negative numbers must be arithmetic"
#endif

#ifndef TT_NARROW /* tests compile both variants for the host */
#if defined(__ARM_ARCH_6M__)
#define TT_NARROW 1 /* neither a 64-bit product nor a division in hardware */
#else
#define TT_NARROW 0
#endif
#endif

/* Sums that the builder proves to fit 32 bits are formed as tt_wide and pass TT_ASSERT_RANGE. In
 * plain builds that is nothing; with TT_CHECK_RANGES (tests) they are formed in 64 bits, and
 * whoever links the kernels is told of every one that does not satisfy |value| < 2^31. */
#ifdef TT_CHECK_RANGES
typedef int64_t tt_wide;
void tt_range_error(const char *file, int line);
static inline int32_t tt_in_range(int64_t value, const char *file, int line) {
    if (value > INT32_MAX || value < -INT32_MAX) {
        tt_range_error(file, line);
    }
    return (int32_t)value;
}
#define TT_ASSERT_RANGE(value) tt_in_range((value), __FILE__, __LINE__)
#else
typedef int32_t tt_wide;
#define TT_ASSERT_RANGE(value) (value)
#endif

static inline int32_t tt_wrap_add(int32_t a, int32_t b) {
    return (int32_t)((uint32_t)a + (uint32_t)b);
}

/* floor((a * b + 2^30) / 2^31) for b >= 0: gemmlowp's SaturatingRoundingDoublingHighMul. */
static inline int32_t tt_mul_high(int32_t a, int32_t b) {
#if TT_NARROW
    /* Signed halves: their products are within +-(2^30 - 2^15), but for al * bh down to -2^30, and for
     * ah * bl = +-2^30 where |ah| = 2^15; then al, and with it al * bh, has the other sign of ah, and
     * al * bl that of ah. So no sum leaves 32 bits. */
    int32_t al = (int16_t)a, ah = (a >> 16) - (al >> 31);
    int32_t bl = (int16_t)b, bh = (b >> 16) - (bl >> 31);
    int32_t middle = ah * bl + al * bh + ((al * bl) >> 16);
    return (int32_t)(2u * (uint32_t)(ah * bh) + (uint32_t)(((middle >> 14) + 1) >> 1));
#else
    return (int32_t)(((int64_t)a * b + ((int64_t)1 << 30)) >> 31);
#endif
}

/* gemmlowp's fixed-point product of two signed numbers; only -1 * -1 saturates. */
static inline int32_t tt_mul_high_signed(int32_t a, int32_t b) {
    if (b >= 0) {
        return tt_mul_high(a, b);
    }
    if (a >= 0) {
        return tt_mul_high(b, a);
    }
    if (a == INT32_MIN || b == INT32_MIN) {
        int32_t other = a == INT32_MIN ? b : a;
        return other == INT32_MIN ? INT32_MAX : -other;
    }
    return tt_mul_high(-a, -b);
}

/* x / 2^n rounded to nearest, halves away from zero, 0 <= n <= 31. */
static inline int32_t tt_round_shift(int32_t x, int32_t n) {
    int32_t mask = (int32_t)((1u << n) - 1u);
    int32_t threshold = (mask >> 1) + (x < 0);
    return (x >> n) + ((x & mask) > threshold);
}

/* floor(x / 2^n + 1/2), 0 <= n <= 31; nothing is added to x that could leave 32 bits. */
static inline int32_t tt_round_half_up(int32_t x, int32_t n) {
    return n == 0 ? x : (x >> n) + ((x >> (n - 1)) & 1);
}

/* x * multiplier * 2^(shift - 31) with TFLM's two roundings; the left shift wraps as there. */
static inline int32_t tt_requantize_s32(int32_t x, int32_t multiplier, int32_t shift) {
    if (shift > 0) {
        return tt_mul_high((int32_t)((uint32_t)x << shift), multiplier);
    }
    int32_t product = tt_mul_high(x, multiplier); /* > -2^31, < 2^31 - 1 */
    if (shift == 0) {
        return product;
    }
    return (((product + (product >> 31)) >> (-shift - 1)) + 1) >> 1; /* as tt_round_shift */
}

/* x / 2^n toward zero; exact composition: shifting by a, then by b, is shifting by a + b. */
static inline int32_t tt_shift_toward_zero(int32_t x, int32_t n) {
    if (n > 30) {
        return 0;
    }
    return (x + ((x >> 31) & (int32_t)((1u << n) - 1u))) >> n;
}

/* floor(a * m / 2^16) for 0 <= m <= 2^16. */
static inline int32_t tt_mul_shift16(int32_t a, uint32_t m) {
    int32_t high = (a >> 16) * (int32_t)m;
    return high + (int32_t)((((uint32_t)a & 0xffffu) * m) >> 16);
}

/* floor(a * m / 2^15) for 0 <= m <= 2^15. */
static inline int32_t tt_mul_shift15(int32_t a, uint32_t m) {
    int32_t high = (a >> 15) * (int32_t)m;
    return high + (int32_t)((((uint32_t)a & 0x7fffu) * m) >> 15);
}

/* floor(n / d), d > 0. */
static inline uint32_t tt_divide(uint32_t n, uint32_t d) {
#if TT_NARROW
    uint32_t quotient = 0, rest = 0;
    for (int bit = 31; bit >= 0; bit--) {
        rest = (rest << 1) | ((n >> bit) & 1u);
        quotient <<= 1;
        if (rest >= d) {
            rest -= d;
            quotient |= 1u;
        }
    }
    return quotient;
#else
    return n / d;
#endif
}

static inline int32_t tt_abs(int32_t x) {
    return x < 0 ? -x : x;
}

static inline int32_t tt_max(int32_t a, int32_t b) {
    return a > b ? a : b;
}

static inline int32_t tt_min(int32_t a, int32_t b) {
    return a < b ? a : b;
}

/* ---- outputs: clamp, and note what was clamped ---------------------------------------------- */

/* 0 in builds that only predict: no kernel is called with a clip mask. */
#ifndef TT_CLIPS
#define TT_CLIPS 1
#endif

/* Writes clip bits one after the other. */
typedef struct {
    uint8_t *byte;
    uint32_t bit;
} tt_clip_writer;

static inline tt_clip_writer tt_clip_begin(uint8_t *clip) {
    tt_clip_writer writer = {clip, 1u};
    return writer;
}

static inline int8_t tt_clamp(int32_t v, int32_t low, int32_t high, tt_clip_writer *writer) {
    int32_t clamped = tt_min(tt_max(v, low), high);
    if (TT_CLIPS && writer->byte != NULL) {
        uint32_t before = writer->bit == 1u ? 0u : *writer->byte;
        *writer->byte = (uint8_t)(clamped == v ? before | writer->bit : before);
        writer->bit <<= 1;
        if (writer->bit == 256u) {
            writer->bit = 1u;
            writer->byte++;
        }
    }
    return (int8_t)clamped;
}

#endif
