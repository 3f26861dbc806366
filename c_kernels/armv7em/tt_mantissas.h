/* Sums to mantissas without a question for each: what does not fit is found out behind them. */
#ifndef TT_MANTISSAS_H
#define TT_MANTISSAS_H

#include "tt_dsp.h"
#include "tt_gradient.h"

/* The mantissa of a sum, number `index`; `largest` gathers magnitudes, for tt_grad_fits. For 16 bits, where
 * the limit is 2^k - 1, their bits suffice. */
TT_INLINE tt_mantissa tt_grad_noted(int32_t sum, int32_t index, int32_t shift, int32_t *largest) {
#if TT_GRADIENT_BITS == 16
    (void)index;
    int32_t below = sum + (sum >> 31); /* of a negative one, ~below is the magnitude */
    *largest |= below ^ (below >> 31);
    return (tt_mantissa)((below >> shift) - (sum >> 31));
#else
    *largest = tt_max(*largest, tt_abs(sum));
    return tt_grad_cut(sum, index, 0, shift);
#endif
}

#endif
