/* Depthwise convolution to int8: the entry, where nothing is packed. */
#include "tt_plain.h"

void tt_depthwise_conv2d_s8(const tt_conv2d *p, const int8_t *x, const int8_t *w,
    const int32_t *bias, const int32_t *multiplier, const int8_t *shift, int8_t *y, uint8_t *clip,
    int32_t *scratch) {
    (void)scratch;
    tt_depthwise_conv2d_s8_plain(p, x, w, bias, multiplier, shift, y, clip);
}
