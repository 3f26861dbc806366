/* Sums to mantissas, as far as they fit. */
#include "tt_gradient.h"

int32_t tt_grad_store(const int32_t *sums, int32_t step, int32_t n, tt_mantissa *m, int32_t index,
    int32_t shift, int32_t limit) {
    for (int32_t i = 0; i < n; i++, sums += step) {
        int32_t sum = *sums;
        if (!tt_grad_fits(limit, tt_abs(sum), shift)) {
            return i;
        }
        m[i] = tt_grad_cut(sum, index + i, 0, shift);
    }
    return n;
}
