/* Writing a gradient: sums of 32 bits become mantissas under one exponent.
 *
 * The exponent is not known before the last sum, so it runs: when a sum needs a larger one, what
 * was written is shifted down. Shifting toward zero composes exactly, hence the result does not
 * depend on the order of writing, and no tensor of 32-bit sums is ever held. */
#ifndef TT_GRADIENT_H
#define TT_GRADIENT_H

#include "tt_arithmetic.h"

typedef struct {
    tt_grad *grad;
    int32_t written;  /* mantissas so far */
    int32_t shift;    /* by which sums have been shifted down */
    int32_t limit;    /* of |mantissa| */
    int32_t exponent; /* of the sums */
} tt_grad_writer;

tt_grad_writer tt_grad_begin(tt_grad *grad, int32_t limit, int32_t exponent);

/* Append n sums, |sum| < 2^31. */
void tt_grad_push(tt_grad_writer *writer, const int32_t *sums, int32_t n);

/* Append one sum. */
static inline void tt_grad_push_one(tt_grad_writer *writer, int32_t sum) {
    if ((tt_abs(sum) >> writer->shift) > writer->limit) {
        tt_grad_push(writer, &sum, 1);
    } else {
        int32_t mantissa = tt_shift_toward_zero(sum, writer->shift);
        writer->grad->mantissa[writer->written++] = (int16_t)mantissa;
    }
}

/* Set the exponent; a tensor of small mantissas is shifted up to the limit. */
void tt_grad_end(tt_grad_writer *writer);

#endif
