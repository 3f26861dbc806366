/* Sums to mantissas, as far as they fit. */
#include "tt_gradient.h"

int32_t tt_grad_store(const tt_grad_writer *writer, int32_t index, int32_t index_step,
    const int32_t *sums, int32_t step, int32_t n) {
    tt_mantissa *m = writer->grad->mantissa;
    int32_t shift = writer->shift, limit = writer->limit;
    for (int32_t i = 0; i < n; i++, sums += step, index += index_step) {
        int32_t sum = *sums;
        if (!tt_grad_fits(limit, tt_abs(sum), shift)) {
            return i;
        }
        m[index] = tt_grad_cut(sum, index, 0, shift);
    }
    return n;
}
