/* Forward kernels called for a part of their outputs, as tt_part in tinytrain_kernels.h says: a
 * piece is some pixels, of a single pixel some channels, and of elementwise kernels some elements.
 * The kernels themselves know nothing of it: they get a smaller window. Pieces end where a byte of
 * clip bits ends, so that maps of odd sizes come in rows. */
#ifndef TINYTRAIN_PARTS_H
#define TINYTRAIN_PARTS_H

#include "tinytrain.h"

void tt_part_conv2d_s8(tt_part *part, const tt_conv2d *p, const int8_t *x, const int8_t *w,
    const int32_t *bias, const int32_t *multiplier, const int8_t *shift, int8_t *y, uint8_t *clip,
    int32_t *scratch);
void tt_part_conv2d_s32(tt_part *part, const tt_conv2d *p, const int8_t *x, const int8_t *w,
    const int32_t *bias, int32_t *y);
void tt_part_depthwise_conv2d_s8(tt_part *part, const tt_conv2d *p, const int8_t *x,
    const int8_t *w, const int32_t *bias, const int32_t *multiplier, const int8_t *shift, int8_t *y,
    uint8_t *clip, int32_t *scratch);
void tt_part_add_s8(
    tt_part *part, const tt_add *p, const int8_t *a, const int8_t *b, int8_t *y, uint8_t *clip);
void tt_part_requantize_s8(
    tt_part *part, const tt_requantize *p, const int8_t *x, int8_t *y, uint8_t *clip);
void tt_part_average_pool2d_s8(
    tt_part *part, const tt_pool2d *p, const int8_t *x, int8_t *y, uint8_t *clip);
void tt_part_max_pool2d_s8(
    tt_part *part, const tt_pool2d *p, const int8_t *x, int8_t *y, uint8_t *clip);

#endif
