/* Sum of two tensors of different scales: as src/add.c, with the products of few bits in assembly. */
#include "tt_arithmetic.h"

/* Of an input: multiplier = high * 2^16 + low. Of the output the halves are signed, of at most 2^15. */
typedef struct {
    int32_t high, low, right;
} factor;

/* add_row.S knows the offsets. */
typedef struct {
    factor a, b, out;
    int32_t least, most;
    int32_t a_offset, b_offset, out_zero;
} sum_of_two;

/* y[i] of n elements; returns which of the first 32 were clamped, by bits. */
uint32_t tt_add_row(const sum_of_two *sum, const int8_t *a, const int8_t *b, int8_t *y, int32_t n);

static factor factor_of(int32_t multiplier, int32_t shift) {
    factor f = {multiplier >> 16, multiplier & 0xffff, -shift};
    return f;
}

void tt_add_s8(const tt_add *p, const int8_t *a, const int8_t *b, int8_t *y, uint8_t *clip) {
    sum_of_two sum = {
        factor_of(p->a_multiplier, p->a_shift),
        factor_of(p->b_multiplier, p->b_shift),
        factor_of(p->out_multiplier, p->out_shift),
        p->low,
        p->high,
        -p->a_zero,
        -p->b_zero,
        p->out_zero,
    };
    sum.out.high += sum.out.low >> 15;
    sum.out.low = (int16_t)sum.out.low;
    if (clip == NULL) {
        tt_add_row(&sum, a, b, y, p->size);
        return;
    }
    for (int32_t i = 0; i < p->size; i += 8) {
        int32_t n = tt_min(8, p->size - i);
        uint32_t kept = ~tt_add_row(&sum, a + i, b + i, y + i, n);
        *clip++ = (uint8_t)(kept & ((1u << n) - 1u));
    }
}
