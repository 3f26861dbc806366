/* Mantissas under a larger exponent. */
#include "tt_gradient.h"

void tt_cut_mantissas(tt_mantissa *m, int32_t n, int32_t shift) {
    int32_t mask = (int32_t)((1u << shift) - 1u);
    for (; n > 0; n--, m++) {
        *m = (tt_mantissa)((*m + ((*m >> 15) & mask)) >> shift); /* as tt_grad_cut */
    }
}
