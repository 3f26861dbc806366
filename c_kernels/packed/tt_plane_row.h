/* Two outputs of a depthwise convolution in one 32-bit multiplication. */
#ifndef TT_PLANE_ROW_H
#define TT_PLANE_ROW_H

#include "tt_packing.h"

/* Bytes from one row of the plane to the next, and from one pair of outputs to the next; start: what
 * every sum begins with. */
typedef struct {
    int32_t row_step, pair_step;
    int32_t pairs, kernel_h;
    int32_t start;
} tt_plane_shape;

/* sums[2 * i], sums[2 * i + 1] = start + sum over taps of the low, the high half of the plane's words *
 * taps[kernel_h][n], for a kernel n wide. Exact for |taps| <= 127 and halves of int8. */
void tt_plane_row_3(
    const uint32_t *plane, const int32_t *taps, const tt_plane_shape *shape, int32_t *sums);
void tt_plane_row_5(
    const uint32_t *plane, const int32_t *taps, const tt_plane_shape *shape, int32_t *sums);
void tt_plane_row_7(
    const uint32_t *plane, const int32_t *taps, const tt_plane_shape *shape, int32_t *sums);

#endif
