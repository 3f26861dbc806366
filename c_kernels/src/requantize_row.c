/* Sums to another scale, each by its own factor. */
#include "tt_plain.h"

int32_t tt_requantize_row(
    const int32_t *x, const int32_t *multiplier, const int8_t *shift, int32_t n, int32_t *y) {
    int32_t largest = INT32_MIN;
    for (int32_t c = 0; c < n; c++) {
        y[c] = tt_requantize_s32(x[c], multiplier[c], shift[c]);
        largest = tt_max(largest, y[c]);
    }
    return largest;
}
