/* Sums to mantissas, as far as they fit. */
#include "tt_cut.h"

int32_t tt_grad_store(const tt_grad_writer *writer, int32_t index, int32_t index_step,
    const int32_t *sums, int32_t step, int32_t n) {
    tt_mantissa *m = writer->grad->mantissa + index;
    tt_cutter cut = tt_cutter_of(writer);
    int32_t left = n;
    for (; left > 0; left--, sums += step, m += index_step, index += index_step) {
        int32_t sum = *sums;
        if (tt_cut_fits(cut, sum)) {
            *m = tt_cut(cut, sum, index);
#if TT_GRADIENT_BITS == 8
        } else if (tt_grad_fits(writer->limit, tt_abs(sum), cut.shift)) { /* near 2^31 */
            *m = tt_grad_cut(sum, index, 0, cut.shift);
#endif
        } else {
            break;
        }
    }
    return n - left;
}
