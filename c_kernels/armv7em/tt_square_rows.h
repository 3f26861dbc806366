/* Depthwise gradients of 3x3 kernels: whole rows of an even number of mantissas of 16 bits. */
#ifndef TT_SQUARE_ROWS_H
#define TT_SQUARE_ROWS_H

#include "tt_arithmetic.h"

/* step: bytes from one mantissa to the next; pitch, width: bytes of the plane from a row to the next, and that
 * a row's windows begin in. Mantissas are sums times scale / 2^32, cut by `shift` bits toward zero. taps: three
 * times the pairs (0, 1), (1, 2). square_rows.S knows the order. */
typedef struct {
    int32_t step, unused;
    int32_t scale, shift;
    int32_t pitch, width, rows;
    const int16_t *plane; /* aligned to 4 */
    tt_mantissa *mantissa;
    uint32_t taps[6];
} tt_square_rows_of;

/* Rows, at least one, until one of which a mantissa leaves 16 bits; returns how many are left then, with that
 * one. */
int32_t tt_square_rows(const tt_square_rows_of *s);

#endif
