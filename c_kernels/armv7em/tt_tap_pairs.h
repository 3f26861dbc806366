/* The inner loops of weight gradients of depthwise convolutions: the output's gradient lies along the input. */
#ifndef TT_TAP_PAIRS_H
#define TT_TAP_PAIRS_H

#include "tt_packing.h"

/* Some rows and columns of one channel. step, row: bytes from one of its elements to the next, from a row's end
 * to the next one. gap: so many zeros go behind each row, and perhaps two more. offset: added to each pair. */
typedef struct {
    const void *from;
    int16_t *to;
    int32_t step, row;
    int32_t columns, rows, gap;
    uint32_t offset;
} tt_tap_rows;

/* int8, and mantissas, to int16; columns, rows > 0. Returns where they end. */
int16_t *tt_tap_rows_8(const tt_tap_rows *rows);
int16_t *tt_tap_rows_16(const tt_tap_rows *rows);

/* sums[k] = sum over i < 2 * pairs of gradient[i] * input[i + k], modulo 2^32, k < 5 (3). Both are aligned to 4;
 * up to TT_TAP_ZEROS pairs behind the gradient are read and must be 0. */
void tt_tap_pairs_5(const uint32_t *gradient, const int16_t *input, int32_t pairs, int32_t *sums);
void tt_tap_pairs_3(const uint32_t *gradient, const int16_t *input, int32_t pairs, int32_t *sums);

#endif
