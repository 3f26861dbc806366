/* Depthwise convolutions for two outputs side by side: a channel's inputs, less their zero point, and
 * its weights, doubled, are int16. A word holds two neighbours, so that one SMLAD serves two taps. */
#ifndef TT_PAIR_ROWS_H
#define TT_PAIR_ROWS_H

#include "tt_pair_tile.h"

/* Where two channels of a map are expanded from and to. step, x_row: from a pixel, a row to the next;
 * to_row, plane: bytes from a row, a channel to the next. */
typedef struct {
    const int8_t *x;
    int16_t *to;
    int32_t step, x_row, to_row, plane;
    int32_t offset; /* the negative zero point */
    int32_t pixels, rows;
} tt_pair_map;

void tt_pair_planes(const tt_pair_map *map);

/* In bytes: from a row of the plane to the next, from an output row's first to the next one's, what two
 * outputs at a time cover of a row, what is taken back of the sums behind a row (4 if its outputs are
 * odd in number), weights. start, doubled: what every sum begins with. rows: of outputs. */
typedef struct {
    int32_t row, advance, width, odd, taps;
    int32_t start, rows;
} tt_pair_rows;

/* sums [rows][outputs] = start + sum over taps, for a kernel of 3x3, or 5 or 7 wide, and a horizontal stride of 1 or 2.
 * plane: aligned to 4, rows of an even number of columns. taps [kernel_h]: the pairs
 *     (0, 1), (1, 2)   or   (0, 1), (2, 3), (3, 4), (1, 2)
 *     or   (0, 1), (2, 3), (4, 5), (5, 6), (1, 2), (3, 4) */
void tt_pair_rows_3(
    const int16_t *plane, const uint32_t *taps, const tt_pair_rows *shape, int32_t *sums);
void tt_pair_rows_5(
    const int16_t *plane, const uint32_t *taps, const tt_pair_rows *shape, int32_t *sums);
void tt_pair_rows_7(
    const int16_t *plane, const uint32_t *taps, const tt_pair_rows *shape, int32_t *sums);
void tt_pair_rows_3_stride_2(
    const int16_t *plane, const uint32_t *taps, const tt_pair_rows *shape, int32_t *sums);
void tt_pair_rows_5_stride_2(
    const int16_t *plane, const uint32_t *taps, const tt_pair_rows *shape, int32_t *sums);
void tt_pair_rows_7_stride_2(
    const int16_t *plane, const uint32_t *taps, const tt_pair_rows *shape, int32_t *sums);

/* n > 0 sums to outputs `step` bytes apart. clip: NULL, or the mask, in which the bits are 0, from bit
 * `at` on, `step` bits apart. */
void tt_pair_outputs(const int32_t *sums, int32_t n, const tt_pair_scale *scale, int8_t *y,
    int32_t step, uint8_t *clip, int32_t at);

#endif
