/* Sums to mantissas: what tt_grad_fits and tt_grad_cut say, with what depends on the writer alone computed before. */
#ifndef TT_CUT_H
#define TT_CUT_H

#include "tt_gradient.h"

#define TT_LIKELY(condition) __builtin_expect((condition), 1)

typedef struct {
    uint32_t most; /* |sum| that fits */
    int32_t shift, mask;
} tt_cutter;

static inline tt_cutter tt_cutter_of(const tt_grad_writer *writer) {
    int32_t shift = writer->shift, limit = writer->limit, all = INT32_MAX;
    int32_t mask = (int32_t)((1u << shift) - 1u);
#if TT_GRADIENT_BITS == 8
    limit -= shift > 0;
    all -= mask; /* to which what is rounded up may be added */
#endif
    tt_cutter cut = {(uint32_t)all, shift, mask};
    if (limit < all >> shift) {
        cut.most = ((uint32_t)(limit + 1) << shift) - 1u;
    }
    return cut;
}

static inline __attribute__((always_inline)) int tt_cut_fits(tt_cutter cut, int32_t x) {
    return TT_LIKELY((uint32_t)x + cut.most <= 2u * cut.most);
}

/* Of a sum that fits. */
static inline __attribute__((always_inline)) tt_mantissa tt_cut(
    tt_cutter cut, int32_t x, int32_t index) {
#if TT_GRADIENT_BITS == 16
    (void)index;
    return (tt_mantissa)((x + ((x >> 31) & cut.mask)) >> cut.shift);
#else
    /* floor((x + r) / 2^n) is -floor((-x + mask - r) / 2^n), and mask - r the other pattern */
    int32_t other = (x ^ (int32_t)((uint32_t)index * TT_INDEX_HASH)) >> 31;
    int32_t round = (int32_t)0xaaaaaaaau & cut.mask;
    return (tt_mantissa)((x + (round ^ (other & cut.mask))) >> cut.shift);
#endif
}

#endif
