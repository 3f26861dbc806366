/* Four sums of weight gradients: in assembly where words can be loaded. */
#include "tt_windows.h"

void tt_row_sums_aligned(const tt_mantissa *dy, int32_t dy_step, const int8_t *x, int32_t x_step,
    int32_t n, int32_t zero, int32_t *sums);

void tt_row_sums(const tt_mantissa *dy, int32_t dy_step, const int8_t *x, int32_t x_step, int32_t n,
    int32_t zero, int32_t *sums) {
    if ((((uintptr_t)x | (uintptr_t)x_step) & 3u) == 0u) {
        tt_row_sums_aligned(dy, dy_step, x, x_step, n, zero, sums);
    } else {
        tt_row_sums_plain(dy, dy_step, x, x_step, n, zero, sums);
    }
}
