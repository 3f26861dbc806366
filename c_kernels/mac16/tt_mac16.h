/* The MAC16 option of ESP32 and ESP32-S3: one multiplication of int16 with both operands' loads in an
 * instruction. The compiler itself uses neither its accumulator nor m0 to m3. No loop's body reads a register
 * before and after it is loaded: QEMU (7.2) would read the old value (tests/bed/README.md). */
#ifndef TT_MAC16_H
#define TT_MAC16_H

#include <stdint.h>

#define TT_INLINE static inline __attribute__((always_inline))

/* to[i] = from[i] + sum over k < 4 * quads of x[k] * w[i][k], i < count, modulo 2^32; w [count][4 * quads],
 * from and to are `step` bytes apart, x and w aligned to 4. Reads a word behind x and w. */
TT_INLINE void tt_mac16_rows(const int16_t *x, const int16_t *w, int32_t quads, int32_t count,
    const int32_t *from, int32_t *to, int32_t step) {
    int32_t sum;
    const int16_t *v;
    __asm__ volatile("    addi %[x], %[x], -4\n" /* ldinc moves on before it loads */
                     "    addi %[w], %[w], -4\n"
                     "    ldinc m2, %[w]\n"
                     "2:  l32i %[sum], %[from], 0\n"
                     "    mov %[v], %[x]\n"
                     "    wsr.acclo %[sum]\n"
                     "    ldinc m0, %[v]\n"
                     "    loop %[quads], 1f\n"
                     "    mula.dd.ll.ldinc m1, %[v], m0, m2\n"
                     "    mula.dd.hh.ldinc m3, %[w], m0, m2\n"
                     "    mula.dd.ll.ldinc m0, %[v], m1, m3\n"
                     "    mula.dd.hh.ldinc m2, %[w], m1, m3\n"
                     "1:  add %[from], %[from], %[step]\n"
                     "    addi %[count], %[count], -1\n"
                     "    rsr.acclo %[sum]\n"
                     "    s32i %[sum], %[to], 0\n"
                     "    add %[to], %[to], %[step]\n"
                     "    bnez %[count], 2b\n"
        : [sum] "=&r"(sum), [v] "=&r"(v), [x] "+r"(x), [w] "+r"(w), [count] "+r"(count),
        [from] "+r"(from), [to] "+r"(to)
        : [quads] "r"(quads), [step] "r"(step)
        : "memory");
}

/* 4 * quads int8, aligned to 4, as int16: each + 128, of each four (0, 2), (1, 3). */
TT_INLINE void tt_mac16_expand(const int8_t *x, int32_t quads, int16_t *to) {
    const uint32_t *from = (const uint32_t *)(const void *)x;
    uint32_t *pairs = (uint32_t *)(void *)to;
    for (; quads > 0; quads--, pairs += 2) {
        uint32_t v = *from++ ^ 0x80808080u;
        pairs[0] = v & 0x00ff00ffu;
        pairs[1] = v >> 8 & 0x00ff00ffu;
    }
}

#endif
