/* Gradients as tensors: clipping, adding, and what a writer does to all mantissas. */
#include "tt_gradient.h"

/* Cut mantissas first <= i < last, so that `shift` bits are cut off in all. */
static void cut(const tt_grad_writer *writer, int32_t first, int32_t last, int32_t shift) {
    tt_mantissa *m = writer->grad->mantissa;
#if TT_GRADIENT_BITS == 16
    for (int32_t i = first; i < last; i++) {
        m[i] = tt_grad_cut(m[i], i, writer->shift, shift - writer->shift);
    }
#else
    /* tt_grad_cut for |x| < 2^7: floor((x + r) / 2^more) is -floor((-x + mask - r) / 2^more), and mask - r the
     * other pattern, so hash and sign decide together which it is */
    int32_t more = shift - writer->shift, mask = (int32_t)((1u << more) - 1u);
    int32_t round = (int32_t)(0xaaaaaaaau >> writer->shift) & mask;
    uint32_t hash = (uint32_t)first * TT_INDEX_HASH;
    for (int32_t i = first; i < last; i++) {
        int32_t x = m[i], other = (x ^ (int32_t)hash) >> 31;
        m[i] = (tt_mantissa)((x + (round ^ (other & mask))) >> more);
        hash += TT_INDEX_HASH;
    }
#endif
}

void tt_grad_grow(tt_grad_writer *writer, const int32_t *sums, int32_t step, int32_t n) {
    int32_t shift = writer->shift, magnitude = 0;
    for (; n > 0; n--, sums += step) {
        magnitude = tt_max(magnitude, tt_abs(*sums));
    }
    while (!tt_grad_fits(writer->limit, magnitude, shift)) {
        shift++;
    }
    if (shift == writer->shift) {
        return;
    }
    int32_t whole = writer->pitch == 0 ? writer->written : writer->open;
#if TT_GRADIENT_BITS == 16
    tt_cut_mantissas(writer->grad->mantissa, whole, shift - writer->shift);
#else
    cut(writer, 0, whole, shift);
#endif
    for (int32_t i = whole; i < writer->written; i += writer->pitch) {
        cut(writer, i, i + writer->width, shift);
    }
    writer->shift = shift;
}

int32_t tt_mantissas_largest(const tt_mantissa *m, int32_t n, int32_t enough) {
    int32_t largest = 0;
    for (; n > 0 && largest <= enough; n--) {
        largest = tt_max(largest, tt_abs(*m++));
    }
    return largest;
}

void tt_mantissas_up(tt_mantissa *m, int32_t n, int32_t up) {
    for (; n > 0; n--, m++) {
        *m = (tt_mantissa)(*m * (1 << up));
    }
}

/* The last elements, whose bits do not fill a byte. */
static uint32_t clip_rest(const tt_mantissa *from, uint32_t bits, tt_mantissa *to, int32_t n) {
    uint32_t seen = 0;
    for (; n > 0; n--, bits >>= 1) {
        int32_t kept = *from++ & -(int32_t)(bits & 1u);
        *to++ = (tt_mantissa)kept;
        seen |= (uint32_t)(kept ^ (kept >> 31));
    }
    return seen;
}

/* Bring n mantissas under a limit. `seen` has as many bits as the largest of v and -v - 1. */
static void renormalize(tt_grad *grad, int32_t n, uint32_t seen, int32_t limit, int32_t exponent) {
    tt_grad_writer writer = tt_grad_begin(grad, limit, exponent);
    if (limit != TT_MANTISSA_MAX) { /* some may not fit */
        for (int32_t i = 0; i < n; i++) {
            tt_grad_push_one(&writer, grad->mantissa[i]);
        }
    } else if (seen > (uint32_t)limit >> 1) { /* as they should be */
        grad->exponent = exponent;
        return;
    }
    writer.written = n;
    tt_grad_end(&writer);
}

void tt_clip_bwd(const tt_elementwise_bwd *p, const tt_grad *dy, const uint8_t *clip, tt_grad *dx,
    tt_part *part) {
    tt_span span = tt_part_take(part, p->size);
    const tt_mantissa *from = dy->mantissa; /* dx may be dy */
    tt_mantissa *to = dx->mantissa;
    uint32_t seen = part != NULL ? (uint32_t)part->shift : 0;
    /* whole bytes, also of a part: what is done twice stays the same */
    int32_t first = span.first & ~7, whole = p->size & ~7, last = tt_min(span.last + 7, whole) & ~7;
    seen |= tt_clip_mantissas(from + first, clip + (first >> 3), to + first, (last - first) >> 3);
    if (span.last > whole) {
        seen |= clip_rest(from + whole, clip[whole >> 3], to + whole, p->size - whole);
    }
    int done = part == NULL || part->at == 0;
    if (done) {
        renormalize(dx, p->size, seen, p->limit, dy->exponent);
    }
    if (part != NULL) {
        part->shift = done ? 0 : (int32_t)seen;
    }
}

/* By how many bits mantissas are shifted up before they are aligned: what 32 bits have room for. */
#define ALIGN_BITS (TT_GRADIENT_BITS == 8 ? 16 : 0)
#define SUMS 32 /* at a time: 128 bytes on the stack */

/* sums = a * 2^ALIGN_BITS + b * 2^shift toward zero, shift <= ALIGN_BITS. */
static void add_aligned(
    const tt_mantissa *a, const tt_mantissa *b, int32_t shift, int32_t *sums, int32_t n) {
    int32_t up = tt_max(shift, 0), down = tt_min(tt_max(-shift, 0), 15); /* |b| < 2^15 */
    int32_t mask = (1 << down) - 1;
    for (; n > 0; n--) {
        int32_t v = *b++;
        v = (v * (1 << up) + ((v >> 31) & mask)) >> down; /* one of both is 0 */
        *sums++ = *a++ * (1 << ALIGN_BITS) + v;
    }
}

void tt_grad_add(
    const tt_elementwise_bwd *p, const tt_grad *a, const tt_grad *b, tt_grad *y, tt_part *part) {
    if (a->exponent < b->exponent) {
        const tt_grad *other = a;
        a = b;
        b = other;
    }
    int32_t exponent = a->exponent - ALIGN_BITS, shift = b->exponent - exponent;
    tt_span span = tt_part_take(part, p->size);
    tt_grad_writer writer = tt_grad_resume(y, p->limit, exponent, part);
    int32_t sums[SUMS];
    for (int32_t i = span.first, n; i < span.last; i += n) {
        n = tt_min(SUMS, span.last - i);
        add_aligned(a->mantissa + i, b->mantissa + i, shift, sums, n);
        tt_grad_push(&writer, sums, n);
    }
    tt_grad_pause(&writer, part);
}
