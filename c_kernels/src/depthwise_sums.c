/* The weight gradient of one channel of a depthwise convolution, where nothing is packed. */
#include "tt_windows.h"

void tt_depthwise_sums(const tt_conv2d_bwd_weight_params *p, const tt_mantissa *dy, const int8_t *x,
    int32_t *d, int32_t *scratch) {
    (void)scratch;
    tt_depthwise_sums_plain(p, dy, x, d);
}
