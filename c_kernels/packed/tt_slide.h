/* The inner loops of depthwise gradients: rows of coefficients slide over a plane of words, one channel
 * of a map. */
#ifndef TT_SLIDE_H
#define TT_SLIDE_H

#include "tt_gradient.h"
#include "tt_packing.h"

/* Rows of a channel's input gradient, all with the same taps; slide_input.S knows the offsets. What is
 * called a row of the plane is a row of the output's gradient. */
typedef struct {
    const int32_t *plane; /* in the plane's first row, where the windows of a row begin */
    int32_t pitch;        /* bytes from row to row */
    int32_t height;       /* rows of the plane; outside of them lie zeros */
    const int32_t *taps;  /* [tap_rows][n], last ones first */
    int32_t tap_rows, n;  /* n <= TT_MOST_TAPS */
    int32_t first; /* the plane's row, perhaps outside, that the first row's first taps meet; the
                             next row begins one further down */
    int32_t rows, columns;
    int32_t scale; /* at most 2^15 */
    tt_grad_writer *writer;
    int32_t index, index_step,
        index_row; /* of the first mantissa, to the next one, and to the next row */
} tt_slide_input;

#define TT_MOST_TAPS 7

/* mantissa[index + y * index_row + x * index_step] of
 *     floor(scale / 2^15 * sum over v < tap_rows, u < n of plane[first + y + v][x + u] * taps[v][u]).
 * Columns are summed up four at a time, the last ones perhaps outside. No sum on the way may leave int32. */
void tt_slide_input_rows(const tt_slide_input *job);

/* min(4, columns) such sums, not scaled yet, to the mantissas from `to` on. */
void tt_slide_put(const tt_slide_input *job, tt_mantissa *to, const int32_t *sums);

/* n: coefficients of a row; step: bytes of the plane from one's to the next, row_step: from where a row ends
 * to where the next begins; group_step: from four sums to the next. */
typedef struct {
    int32_t n, step;
    int32_t rows, row_step;
    int32_t groups, group_step;
} tt_slide_shape;

/* sums[i][r] += sum over rows y, k < n of plane[i][y][k][r] * coefficients[y][k], r < 4, i < groups, the
 * plane's words lying as the shape says. No sum on the way may leave int32. */
void tt_slide(
    const int32_t *plane, const int32_t *coefficients, const tt_slide_shape *shape, int32_t *sums);

#endif
