/* Instructions of Cortex-M4 and M7 that multiply two pairs of 16 bits at once. */
#ifndef TT_DSP_H
#define TT_DSP_H

#include <stdint.h>

#define TT_INLINE static inline __attribute__((always_inline))

/* Bytes 0 and 2 of four int8 as a pair of int16. */
TT_INLINE uint32_t tt_even_bytes(uint32_t v) {
    uint32_t pair;
    __asm__("sxtb16 %0, %1" : "=r"(pair) : "r"(v));
    return pair;
}

/* Bytes 1 and 3. */
TT_INLINE uint32_t tt_odd_bytes(uint32_t v) {
    uint32_t pair;
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(pair) : "r"(v));
    return pair;
}

/* The same, each added to an int16 of `to`. */
TT_INLINE uint32_t tt_add_even_bytes(uint32_t to, uint32_t v) {
    uint32_t pair;
    __asm__("sxtab16 %0, %1, %2" : "=r"(pair) : "r"(to), "r"(v));
    return pair;
}

TT_INLINE uint32_t tt_add_odd_bytes(uint32_t to, uint32_t v) {
    uint32_t pair;
    __asm__("sxtab16 %0, %1, %2, ror #8" : "=r"(pair) : "r"(to), "r"(v));
    return pair;
}

/* sum + both products, mod 2^32 (the Q flag is nobody's concern). */
TT_INLINE uint32_t tt_multiply_pairs(uint32_t a, uint32_t b, uint32_t sum) {
    uint32_t result;
    __asm__("smlad %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(b), "r"(sum));
    return result;
}

/* sum + the low half of a times the low, or the high, half of b. */
TT_INLINE int32_t tt_multiply_low_low(uint32_t a, uint32_t b, int32_t sum) {
    int32_t result;
    __asm__("smlabb %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(b), "r"(sum));
    return result;
}

TT_INLINE int32_t tt_multiply_low_high(uint32_t a, uint32_t b, int32_t sum) {
    int32_t result;
    __asm__("smlabt %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(b), "r"(sum));
    return result;
}

/* Each half of a minus that of b, mod 2^16. */
TT_INLINE uint32_t tt_subtract_pairs(uint32_t a, uint32_t b) {
    uint32_t difference;
    __asm__("ssub16 %0, %1, %2" : "=r"(difference) : "r"(a), "r"(b));
    return difference;
}

/* Each half of a + that of b, mod 2^16. */
TT_INLINE uint32_t tt_add_pairs(uint32_t a, uint32_t b) {
    uint32_t sum;
    __asm__("sadd16 %0, %1, %2" : "=r"(sum) : "r"(a), "r"(b));
    return sum;
}

/* The low halves of both, the high halves of both: low half from a. */
TT_INLINE uint32_t tt_join_low(uint32_t a, uint32_t b) {
    uint32_t pair;
    __asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(pair) : "r"(a), "r"(b));
    return pair;
}

TT_INLINE uint32_t tt_join_high(uint32_t a, uint32_t b) {
    uint32_t pair;
    __asm__("pkhtb %0, %1, %2, asr #16" : "=r"(pair) : "r"(b), "r"(a));
    return pair;
}

/* floor(x * h / 2^16) + add, h being the low or the high half of a pair. */
TT_INLINE int32_t tt_multiply_low_half(int32_t x, uint32_t pair, int32_t add) {
    int32_t result;
    __asm__("smlawb %0, %1, %2, %3" : "=r"(result) : "r"(x), "r"(pair), "r"(add));
    return result;
}

TT_INLINE int32_t tt_multiply_high_half(int32_t x, uint32_t pair, int32_t add) {
    int32_t result;
    __asm__("smlawt %0, %1, %2, %3" : "=r"(result) : "r"(x), "r"(pair), "r"(add));
    return result;
}

/* floor(a * b / 2^32). */
TT_INLINE int32_t tt_multiply_high(int32_t a, int32_t b) {
    return (int32_t)((int64_t)a * b >> 32);
}

/* Both halves / 2, toward zero. */
TT_INLINE uint32_t tt_halve_pairs(uint32_t v) {
    uint32_t half;
    __asm__("shadd16 %0, %1, %2" : "=r"(half) : "r"(v), "r"((v >> 15) & 0x10001u));
    return half;
}

/* The magnitudes of the elements of a gradient that a word holds: two of 16 or four of 8 bits. */
TT_INLINE uint32_t tt_magnitudes(uint32_t v) {
    uint32_t m;
#if TT_GRADIENT_BITS == 16
    __asm__("ssub16 %0, %2, %1\n\tsel %0, %0, %1" : "=&r"(m) : "r"(v), "r"(0));
#else
    __asm__("ssub8 %0, %2, %1\n\tsel %0, %0, %1" : "=&r"(m) : "r"(v), "r"(0));
#endif
    return m;
}

/* Two int16 from any even address. */
TT_INLINE uint32_t tt_load_pair(const int16_t *from) {
    uint32_t v;
    __builtin_memcpy(&v, from, 4);
    return v;
}

/* add + floor((a * b + 2^31) / 2^32), mod 2^32. */
TT_INLINE int32_t tt_multiply_add_high(int32_t a, int32_t b, int32_t add) {
    int32_t sum;
    __asm__("smmlar %0, %1, %2, %3" : "=r"(sum) : "r"(a), "r"(b), "r"(add));
    return sum;
}

TT_INLINE int32_t tt_saturate_8(int32_t v) {
    int32_t result;
    __asm__("ssat %0, #8, %1" : "=r"(result) : "r"(v));
    return result;
}

/* Four int8 from any address. */
TT_INLINE uint32_t tt_load_4(const int8_t *from) {
    uint32_t v;
    __builtin_memcpy(&v, from, 4);
    return v;
}

#endif
