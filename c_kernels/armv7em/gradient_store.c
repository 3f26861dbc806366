/* Sums to mantissas, as far as they fit: most often all do. */
#include "tt_mantissas.h"

int32_t tt_grad_store(const tt_grad_writer *writer, int32_t index, int32_t index_step,
    const int32_t *sums, int32_t step, int32_t n) {
    int32_t largest = 0, shift = writer->shift;
    tt_mantissa *m = writer->grad->mantissa + index;
    const int32_t *from = sums;
    for (int32_t i = n; i > 0; i--, from += step, m += index_step, index += index_step) {
        *m = tt_grad_noted(*from, index, shift, &largest);
    }
    if (tt_grad_fits(writer->limit, largest, shift)) {
        return n;
    }
    for (n = 0; tt_grad_fits(writer->limit, tt_abs(*sums), shift); n++) { /* those are right */
        sums += step;
    }
    return n;
}
