/* Gradient of a depthwise convolution's input: the entry, where nothing is packed. */
#include "tt_plain.h"

void tt_depthwise_conv2d_bwd_input(const tt_conv2d_bwd_input_params *p, const tt_grad *dy,
    const int8_t *w, const uint16_t *scale, tt_grad *dx, int32_t *scratch, tt_part *part) {
    tt_depthwise_conv2d_bwd_input_plain(p, dy, w, scale, dx, scratch, part);
}
