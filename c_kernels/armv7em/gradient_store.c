/* Sums to mantissas, as far as they fit: most often all do, or not even the first. */
#include "tt_mantissas.h"

int32_t tt_grad_store(const tt_grad_writer *writer, int32_t index, int32_t index_step,
    const int32_t *sums, int32_t step, int32_t n) {
    int32_t largest = 0, shift = writer->shift, i = n;
    tt_mantissa *m = writer->grad->mantissa + index;
    const int32_t *from = sums;
    if (!tt_grad_fits(writer->limit, tt_abs(*sums), shift)) {
        return 0;
    }
    if (step == 1 && index_step == 1) {
        for (; i >= 4; i -= 4, index += 4, from += 4, m += 4) {
            int32_t a = from[0], b = from[1], c = from[2],
                    d = from[3]; /* loads behind each other */
            m[0] = tt_grad_noted(a, index, shift, &largest);
            m[1] = tt_grad_noted(b, index + 1, shift, &largest);
            m[2] = tt_grad_noted(c, index + 2, shift, &largest);
            m[3] = tt_grad_noted(d, index + 3, shift, &largest);
        }
    }
    for (; i > 0; i--, from += step, m += index_step, index += index_step) {
        *m = tt_grad_noted(*from, index, shift, &largest);
    }
    if (tt_grad_fits(writer->limit, largest, shift)) {
        return n;
    }
    for (n = 1; tt_grad_fits(writer->limit, tt_abs(sums[step]), shift); n++) { /* those are right */
        sums += step;
    }
    return n;
}
