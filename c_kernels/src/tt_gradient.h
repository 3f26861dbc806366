/* Writing a gradient: sums of 32 bits become mantissas under one exponent.
 *
 * The exponent is not known before the last sum, so it runs: when a sum needs a larger one, what
 * was written is shifted down. How mantissas are rounded composes exactly (a shift by a, then by b,
 * is a shift by a + b), hence the result does not depend on the order of writing, and no tensor of
 * 32-bit sums, nor of 16-bit mantissas on their way to 8, is ever held. */
#ifndef TT_GRADIENT_H
#define TT_GRADIENT_H

#include "tt_part.h"

typedef struct {
    tt_grad *grad;
    int32_t written;  /* mantissas so far, or room for them */
    int32_t shift;    /* by which sums have been shifted down */
    int32_t limit;    /* of |mantissa| */
    int32_t exponent; /* of the sums */
    /* where it goes by channels: from number `open` on only `width` of `pitch` are worth a shift; pitch is 0
     * otherwise */
    int32_t open, pitch, width;
} tt_grad_writer;

tt_grad_writer tt_grad_begin(tt_grad *grad, int32_t limit, int32_t exponent);

/* Append n sums, |sum| < 2^31. */
void tt_grad_push(tt_grad_writer *writer, const int32_t *sums, int32_t n);

/* Sums in any order: first room for n of them, then the mantissas of sums [n], which lie `step` apart, as
 * number `index` and every index_step from there on. */
void tt_grad_reserve(tt_grad_writer *writer, int32_t n);
void tt_grad_put(tt_grad_writer *writer, int32_t index, int32_t index_step, const int32_t *sums,
    int32_t step, int32_t n);

/* tt_grad_put with n > 0 as far as the sums fit; returns how many did. */
int32_t tt_grad_store(const tt_grad_writer *writer, int32_t index, int32_t index_step,
    const int32_t *sums, int32_t step, int32_t n);

/* Let the shift grow until all of n sums fit, and cut what is written. */
void tt_grad_grow(tt_grad_writer *writer, const int32_t *sums, int32_t step, int32_t n);

/* Of 16 bits, the first aligned to 4: cut n mantissas by shift > 0 bits, toward zero. */
void tt_cut_mantissas(tt_mantissa *m, int32_t n, int32_t shift);

/* At least the largest |mantissa| of n, with as many bits; or any number above `enough`, if that is. */
int32_t tt_mantissas_largest(const tt_mantissa *m, int32_t n, int32_t enough);

/* m = m * 2^up, which fits. */
void tt_mantissas_up(tt_mantissa *m, int32_t n, int32_t up);

/* Copy 8 * bytes mantissas, 0 where a clip bit is 0; `from` may be `to`, both are aligned to 4. Of what is left
 * returns a number of as many bits as the largest of v and -v - 1 has. */
uint32_t tt_clip_mantissas(
    const tt_mantissa *from, const uint8_t *clip, tt_mantissa *to, int32_t bytes);

/* d[o] += sum over pixels of dy[o]. */
void tt_pixel_sums(const tt_mantissa *dy, int32_t pixels, int32_t channels, int32_t *d);

#define TT_MANTISSA_MAX ((1 << (TT_GRADIENT_BITS - 1)) - 1)

#if TT_GRADIENT_BITS == 16

/* Whether a sum of this magnitude fits the limit after a shift. */
static inline int tt_grad_fits(int32_t limit, int32_t magnitude, int32_t shift) {
    return (magnitude >> shift) <= limit;
}

/* Element `index`, of which `done` bits are cut off already, cut by `more`: toward zero. */
static inline tt_mantissa tt_grad_cut(int32_t x, int32_t index, int32_t done, int32_t more) {
    (void)index;
    (void)done;
    /* as tt_shift_toward_zero; for more = 31, too, as |x| < 2^31 */
    return (tt_mantissa)((x + ((x >> 31) & (int32_t)((1u << more) - 1u))) >> more);
}

#else

/* Rounding up adds at most one unit. */
static inline int tt_grad_fits(int32_t limit, int32_t magnitude, int32_t shift) {
    return (magnitude >> shift) <= limit - (shift > 0);
}

/* As above, rounded: |x| becomes floor((|x| + r) / 2^more), r being bits done .. done + more - 1 of
 * an alternating pattern. So it is rounded up from a third or from two thirds on, near enough to
 * the half that would not compose; which of the two, a hash of the index decides, so that over the
 * elements neither is preferred. */
#define TT_INDEX_HASH 0x9e3779b9u

static inline tt_mantissa tt_grad_cut(int32_t x, int32_t index, int32_t done, int32_t more) {
    uint32_t pattern = (uint32_t)index * TT_INDEX_HASH >> 31 ? 0x55555555u : 0xaaaaaaaau;
    uint32_t r = (pattern >> done) & ((1u << more) - 1u);
    int32_t magnitude = (int32_t)(((uint32_t)tt_abs(x) + r) >> more);
    return (tt_mantissa)(x < 0 ? -magnitude : magnitude);
}

#endif

/* Append one sum. */
static inline void tt_grad_push_one(tt_grad_writer *writer, int32_t sum) {
    if (!tt_grad_fits(writer->limit, tt_abs(sum), writer->shift)) {
        tt_grad_push(writer, &sum, 1);
    } else {
        int32_t i = writer->written++;
        writer->grad->mantissa[i] = tt_grad_cut(sum, i, 0, writer->shift);
    }
}

/* Set the exponent; a tensor of small mantissas is shifted up to the limit. */
void tt_grad_end(tt_grad_writer *writer);

/* The same of n mantissas, none of them cut, that are there already. */
void tt_grad_normalize(tt_grad *grad, int32_t n, int32_t limit, int32_t exponent);

/* As begin and end, but where a part ends the writer is kept in it, and the next part goes on. */
tt_grad_writer tt_grad_resume(tt_grad *grad, int32_t limit, int32_t exponent, const tt_part *part);
void tt_grad_pause(tt_grad_writer *writer, tt_part *part);

#endif
