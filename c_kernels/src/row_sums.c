/* Four sums of weight gradients: the entry for targets without a variant. */
#include "tt_windows.h"

void tt_row_sums(const tt_mantissa *dy, int32_t dy_step, const int8_t *x, int32_t x_step, int32_t n,
    int32_t zero, int32_t *sums) {
    tt_row_sums_plain(dy, dy_step, x, x_step, n, zero, sums);
}
