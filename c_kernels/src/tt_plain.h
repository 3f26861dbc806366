/* The layers in plain C, for all targets. The kernels' entries lie in files of their own, which a
 * target may replace by faster ones of the same bits. */
#ifndef TT_PLAIN_H
#define TT_PLAIN_H

#include "tt_windows.h"

void tt_conv2d_bwd_input_plain(const tt_conv2d_bwd_input_params *p, const tt_grad *dy,
    const int8_t *w, const uint16_t *scale, tt_grad *dx, int32_t *scratch, tt_part *part);

void tt_conv2d_bwd_weight_plain(const tt_conv2d_bwd_weight_params *p, const tt_grad *dy,
    const int8_t *x, tt_rate *rate, const uint16_t *step_mantissa, const int8_t *step_exponent,
    int8_t *w, int8_t *fraction, int32_t *d, tt_part *part);

void tt_depthwise_conv2d_bwd_input_plain(const tt_conv2d_bwd_input_params *p, const tt_grad *dy,
    const int8_t *w, const uint16_t *scale, tt_grad *dx, int32_t *scratch, tt_part *part);

void tt_conv2d_s8_plain(const tt_conv2d *p, const int8_t *x, const int8_t *w, const int32_t *bias,
    const int32_t *multiplier, const int8_t *shift, int8_t *y, uint8_t *clip);

void tt_depthwise_conv2d_s8_plain(const tt_conv2d *p, const int8_t *x, const int8_t *w,
    const int32_t *bias, const int32_t *multiplier, const int8_t *shift, int8_t *y, uint8_t *clip);

/* Fully connected layers of a single row. scratch: what tt_conv2d_s8_scratch says. */
void tt_fully_connected_s8(const tt_conv2d *p, const int8_t *x, const int8_t *w,
    const int32_t *bias, const int32_t *multiplier, const int8_t *shift, int8_t *y, uint8_t *clip,
    int32_t *scratch);
void tt_fully_connected_s32(
    const tt_conv2d *p, const int8_t *x, const int8_t *w, const int32_t *bias, int32_t *y);

/* Their n inputs, and what tt_row_prepare makes of them, if it is called: words [n], n a multiple of 4. */
typedef struct {
    const int8_t *x;
    int32_t n, zero;
    int32_t *words;
    int32_t start;
} tt_row;

void tt_row_prepare(tt_row *row, int32_t *words);

/* sums[r] += sum over k of (x[k] - zero) * w[r * n + k] for r < 4; after tt_row_prepare w is aligned to 4. */
void tt_row_dot_4(const tt_row *row, const int8_t *w, int32_t *sums);

/* sum (x - in_zero) * w over a patch, for the output channel whose weights are w. */
int32_t tt_conv2d_patch_sum(const tt_conv2d *p, tt_patch patch, const int8_t *x, const int8_t *w);

/* The sums of up to four output channels from `o` on, biases included; returns how many. */
int32_t tt_conv2d_next_sums(const tt_conv2d *p, tt_patch patch, const int8_t *x, const int8_t *w,
    const int32_t *bias, int32_t o, int32_t *sums);

/* sums[r] += sum over k < n of (x[k] + offset) * w[r * stride + k] for r < 4, modulo 2^32. */
void tt_dot_4(
    const int8_t *x, const int8_t *w, int32_t n, int32_t stride, int32_t offset, int32_t *sums);

/* The same for r < 2. */
void tt_dot_2(
    const int8_t *x, const int8_t *w, int32_t n, int32_t stride, int32_t offset, int32_t *sums);

/* y[c] = requantize(x[c]); returns the largest. n > 0, y may be x */
int32_t tt_requantize_row(
    const int32_t *x, const int32_t *multiplier, const int8_t *shift, int32_t n, int32_t *y);

#endif
