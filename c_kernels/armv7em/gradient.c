/* Gradients as tensors, as in src, by words of elements where nothing can leave the limit. */
#include "tt_mantissas.h"

#define LANES (32 / TT_GRADIENT_BITS)
#define LARGEST ((1 << (TT_GRADIENT_BITS - 1)) - 1)
#define TT_UNROLLED _Pragma("GCC unroll 4") /* 60 bytes for a third of the instructions */
#define CHUNK 16                            /* sums on the stack */

TT_INLINE uint32_t load(const tt_mantissa *from) {
    uint32_t v;
    __builtin_memcpy(&v, from, sizeof v);
    return v;
}

TT_INLINE void store(tt_mantissa *to, uint32_t v) {
    __builtin_memcpy(to, &v, sizeof v);
}

/* Cut mantissas first <= i < last, so that `shift` bits are cut off in all. */
static void cut(const tt_grad_writer *writer, int32_t first, int32_t last, int32_t shift) {
    tt_mantissa *m = writer->grad->mantissa;
    int32_t more = shift - writer->shift;
#if TT_GRADIENT_BITS == 16
    for (; first + 2 <= last; first += 2) { /* most often by one bit */
        uint32_t pair = load(m + first);
        for (int32_t i = more; i > 0; i--) {
            pair = tt_halve_pairs(pair);
        }
        store(m + first, pair);
    }
#endif
    for (; first < last; first++) {
        m[first] = tt_grad_cut(m[first], first, writer->shift, more);
    }
}

void tt_grad_grow(tt_grad_writer *writer, const int32_t *sums, int32_t step, int32_t n) {
    int32_t shift = writer->shift, magnitude = 0;
    for (; n > 0; n--, sums += step) {
        (void)tt_grad_noted(*sums, 0, 0, &magnitude);
    }
    while (!tt_grad_fits(writer->limit, magnitude, shift)) {
        shift++;
    }
    int32_t whole = writer->pitch == 0 ? writer->written : writer->open;
    cut(writer, 0, whole, shift);
    for (int32_t i = whole; i < writer->written; i += writer->pitch) {
        cut(writer, i, i + writer->width, shift);
    }
    writer->shift = shift;
}

int32_t tt_mantissas_largest(const tt_mantissa *m, int32_t n, int32_t enough) {
    (void)enough;
    uint32_t lanes = 0, rest = 0;
    for (; n >= 2 * LANES; n -= 2 * LANES, m += 2 * LANES) {
        lanes |= tt_magnitudes(load(m)) | tt_magnitudes(load(m + LANES));
    }
    for (; n > 0; n--) {
        rest |= (uint32_t)tt_abs(*m++);
    }
    lanes |= lanes >> 16;
#if TT_GRADIENT_BITS == 8
    lanes |= lanes >> 8;
#endif
    return (int32_t)(rest | (lanes & ((1u << TT_GRADIENT_BITS) - 1u)));
}

void tt_mantissas_up(tt_mantissa *m, int32_t n, int32_t up) {
    /* the signs that would enter the next element */
    uint32_t mask = (1u << TT_GRADIENT_BITS) - (1u << (TT_GRADIENT_BITS - up));
#if TT_GRADIENT_BITS == 16
    mask = ~mask;
#else
    mask = ~(mask | mask << 8 | mask << 16);
#endif
    for (; n >= LANES; n -= LANES, m += LANES) {
        store(m, (load(m) & mask) << up);
    }
    for (; n > 0; n--, m++) {
        *m = (tt_mantissa)(*m * (1 << up));
    }
}

/* Keep the elements of a multiple of 8 whose bits are set; they fit as they are. */
static void clip_bytes(const tt_mantissa *from, const uint8_t *clip, tt_mantissa *to, int32_t n) {
    for (; n > 0; n -= 8, from += 8, to += 8) {
        uint32_t bits = *clip++;
#if TT_GRADIENT_BITS == 16
        bits |= bits << 15; /* bit 2 i of a byte is bit 2 i, bit 2 i + 1 is bit 2 i + 16 */
        TT_UNROLLED
        for (int32_t i = 0; i < 8; i += 2, bits >>= 2) {
            uint32_t ones = bits & 0x10001u;
            store(to + i, load(from + i) & ((ones << 16) - ones));
        }
#else
        for (int32_t i = 0; i < 8; i += 4, bits >>= 4) {
            uint32_t ones = ((bits & 15u) * 0x204081u) & 0x1010101u; /* bit i to bit 8 i */
            store(to + i, load(from + i) & ((ones << 8) - ones));
        }
#endif
    }
}

void tt_clip_bwd(const tt_elementwise_bwd *p, const tt_grad *dy, const uint8_t *clip, tt_grad *dx,
    tt_part *part) {
    tt_span span = tt_part_take(part, p->size);
    tt_grad_writer writer = tt_grad_resume(dx, p->limit, dy->exponent, part);
    const tt_mantissa *from = dy->mantissa; /* dx may be dy */
    for (int32_t i = span.first; i < span.last;) {
        int32_t whole = (span.last - i) & ~7;
        if ((i & 7) == 0 && whole > 0 && p->limit == LARGEST) {
            clip_bytes(from + i, clip + (i >> 3), dx->mantissa + i, whole);
            i += whole;
        } else {
            writer.written = i;
            tt_grad_push_one(&writer, from[i] & -(int32_t)(clip[i >> 3] >> (i & 7) & 1));
            i++;
        }
    }
    writer.written = span.last;
    tt_grad_pause(&writer, part);
}

/* By how many bits mantissas are shifted up before they are aligned: what 32 bits have room for. */
#define ALIGN_BITS (TT_GRADIENT_BITS == 8 ? 16 : 0)

/* mantissa * 2^shift, toward zero. */
typedef struct {
    int32_t factor, mask, down;
} alignment;

static alignment alignment_of(int32_t shift) {
    int32_t down = tt_min(tt_max(-shift, 0), 16); /* of 15 bits nothing is left then */
    alignment a = {1 << tt_max(shift, 0), (1 << down) - 1, down};
    return a;
}

TT_INLINE int32_t align(int32_t mantissa, alignment a) {
    return (mantissa * a.factor + ((mantissa >> 31) & a.mask)) >> a.down;
}

void tt_grad_add(
    const tt_elementwise_bwd *p, const tt_grad *a, const tt_grad *b, tt_grad *y, tt_part *part) {
    int32_t exponent = tt_max(a->exponent, b->exponent) - ALIGN_BITS;
    alignment of_a = alignment_of(a->exponent - exponent);
    alignment of_b = alignment_of(b->exponent - exponent);
    tt_span span = tt_part_take(part, p->size);
    tt_grad_writer writer = tt_grad_resume(y, p->limit, exponent, part);
    for (int32_t i = span.first, n; i < span.last; i += n) { /* y may be a or b */
        int32_t sums[CHUNK];
        n = tt_min(CHUNK, span.last - i);
        for (int32_t k = 0; k < n; k++) {
            sums[k] = align(a->mantissa[i + k], of_a) + align(b->mantissa[i + k], of_b);
        }
        tt_grad_push(&writer, sums, n);
    }
    tt_grad_pause(&writer, part);
}
