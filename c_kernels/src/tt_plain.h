/* The layers in plain C, for all targets. The kernels' entries lie in files of their own, which a
 * target may replace by faster ones of the same bits. */
#ifndef TT_PLAIN_H
#define TT_PLAIN_H

#include "tt_windows.h"

void tt_conv2d_bwd_input_plain(const tt_conv2d_bwd_input_params *p, const tt_grad *dy,
    const int8_t *w, const uint16_t *scale, tt_grad *dx, int32_t *scratch, tt_part *part);

void tt_depthwise_conv2d_bwd_input_plain(const tt_conv2d_bwd_input_params *p, const tt_grad *dy,
    const int8_t *w, const uint16_t *scale, tt_grad *dx, int32_t *scratch, tt_part *part);

void tt_conv2d_s8_plain(const tt_conv2d *p, const int8_t *x, const int8_t *w, const int32_t *bias,
    const int32_t *multiplier, const int8_t *shift, int8_t *y, uint8_t *clip);

void tt_depthwise_conv2d_s8_plain(const tt_conv2d *p, const int8_t *x, const int8_t *w,
    const int32_t *bias, const int32_t *multiplier, const int8_t *shift, int8_t *y, uint8_t *clip);

/* sum (x - in_zero) * w over a patch, for the output channel whose weights are w. */
int32_t tt_conv2d_patch_sum(const tt_conv2d *p, tt_patch patch, const int8_t *x, const int8_t *w);

/* The sums of up to four output channels from `o` on, biases included; returns how many. */
int32_t tt_conv2d_next_sums(const tt_conv2d *p, tt_patch patch, const int8_t *x, const int8_t *w,
    const int32_t *bias, int32_t o, int32_t *sums);

/* sums[r] += sum over k < n of (x[k] + offset) * w[r * stride + k] for r < 4, modulo 2^32. */
void tt_dot_4(
    const int8_t *x, const int8_t *w, int32_t n, int32_t stride, int32_t offset, int32_t *sums);

#endif
