/* Sum of two tensors of different scales: the reference's roundings by SMMLAR, as pair_scale.c has them. */
#include "tt_arithmetic.h"
#include "tt_dsp.h"

#define HEADROOM 20 /* bits by which the reference shifts the inputs up */
#define HALF (1 << 30)

/* v = (other << left) - zero; R(M(v / 2, multiplier), shift) is ((half + M - [v < 0]) >> shift). */
typedef struct {
    int32_t left, zero;
    int32_t multiplier, half, shift;
} operand;

/* The sum of an operand whose factor is 1/2, exactly, and another one; to the output. */
typedef struct {
    int32_t zero; /* of the first, doubled */
    operand other;
    int32_t multiplier, add, shift;
} sum;

TT_INLINE int32_t value(const sum *s, int32_t first, int32_t second) {
    const operand *b = &s->other;
    int32_t v = (int32_t)((uint32_t)second << b->left) - b->zero;
    int32_t other = tt_multiply_add_high(v, b->multiplier, b->half + (v >> 31)) >> b->shift;
    v = first * (1 << HEADROOM) - s->zero + 2 * other; /* twice the sum: |v| < 2^30 */
    return tt_multiply_add_high(v, s->multiplier, s->add + (v >> 31)) >> s->shift;
}

/* The larger of the two scales has the factor 1/2: a, or b if they are to be swapped. */
static int can_halve(int32_t multiplier, int32_t shift) {
    return multiplier == HALF && shift == 0;
}

static operand operand_of(int32_t zero, int32_t multiplier, int32_t shift) {
    int32_t n = -shift, left = HEADROOM + 1;
    if (n == 0) { /* 1/2: of twice as much a quarter, which needs no rounding either */
        n = 1;
        left++;
    }
    operand o = {left, zero * (1 << left), multiplier, 1 << (n - 1), n};
    return o;
}

static int32_t scaled(int32_t v, int32_t zero, int32_t multiplier, int32_t shift) {
    return tt_requantize_s32((v - zero) * (1 << HEADROOM), multiplier, shift);
}

static void add_plain(const tt_add *p, const int8_t *a, const int8_t *b, int8_t *y, uint8_t *clip) {
    tt_clip_writer writer = tt_clip_begin(clip);
    for (int32_t i = 0; i < p->size; i++) {
        int32_t v = scaled(a[i], p->a_zero, p->a_multiplier, p->a_shift) +
                    scaled(b[i], p->b_zero, p->b_multiplier, p->b_shift);
        v = tt_wrap_add(tt_requantize_s32(v, p->out_multiplier, p->out_shift), p->out_zero);
        y[i] = tt_clamp(v, p->low, p->high, &writer);
    }
}

void tt_add_s8(const tt_add *p, const int8_t *a, const int8_t *b, int8_t *y, uint8_t *clip) {
    int32_t n = -p->out_shift, left = p->size;
    int swapped = !can_halve(p->a_multiplier, p->a_shift);
    if ((swapped && !can_halve(p->b_multiplier, p->b_shift)) || n < 1 || n > 22 || p->low != -128 ||
        p->high != 127) {
        add_plain(p, a, b, y, clip);
        return;
    }
    sum s = {p->a_zero * (1 << HEADROOM), operand_of(p->b_zero, p->b_multiplier, p->b_shift),
        p->out_multiplier, p->out_zero * (1 << n) + (1 << (n - 1)), n};
    if (swapped) {
        const int8_t *other = a;
        a = b;
        b = other;
        s.zero = p->b_zero * (1 << HEADROOM);
        s.other = operand_of(p->a_zero, p->a_multiplier, p->a_shift);
    }
    if (clip == NULL) {
        for (; left > 0; left--) {
            *y++ = (int8_t)tt_saturate_8(value(&s, *a++, *b++));
        }
        return;
    }
    for (; left > 0; left -= 8) {
        uint32_t kept = 0;
        for (int32_t i = 0; i < tt_min(8, left); i++) {
            int32_t v = value(&s, *a++, *b++), clamped = tt_saturate_8(v);
            *y++ = (int8_t)clamped;
            kept |= (uint32_t)(v == clamped) << i;
        }
        *clip++ = (uint8_t)kept;
    }
}
