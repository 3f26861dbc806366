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

/* Each half of a + that of b, mod 2^16. */
TT_INLINE uint32_t tt_add_pairs(uint32_t a, uint32_t b) {
    uint32_t sum;
    __asm__("sadd16 %0, %1, %2" : "=r"(sum) : "r"(a), "r"(b));
    return sum;
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
