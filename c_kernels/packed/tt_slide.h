/* The inner loops of depthwise gradients: rows of coefficients slide over a plane of words, one channel
 * of a map. */
#ifndef TT_SLIDE_H
#define TT_SLIDE_H

#include "tt_gradient.h"
#include "tt_packing.h"

/* Rows of one channel of a map to words: `columns` elements with `before` and `after` zeros around them;
 * then `skip` bytes are left as they are. gather.S knows the offsets. */
typedef struct {
    int32_t operand;
    int32_t step, row_step; /* bytes from an element to the next, and from row to row */
    int32_t columns;
    int32_t rows; /* not 0 */
    int32_t before, after, skip;
} tt_gather;

/* mantissa * 2^operand, with no zeros around them, and input - operand. */
void tt_gather_gradient(const tt_gather *g, const tt_mantissa *from, int32_t *to);
void tt_gather_input(const tt_gather *g, const int8_t *from, int32_t *to);

/* Rows of a channel's input gradient, all with the same taps; slide_input.S knows the offsets. The plane
 * is of the output's gradient; `first`: which of its rows, perhaps outside, the first taps meet for the
 * first row, one further down for the next. index: of the first mantissa, to the next one in the row, and
 * to the next row. */
typedef struct {
    const int32_t *plane; /* in the plane's first row, where the windows of a row begin */
    int32_t pitch;        /* bytes from row to row */
    int32_t height;       /* rows of the plane; outside of them lie zeros */
    const int32_t *taps;  /* [tap_rows][n], last ones first */
    int32_t tap_rows, n;  /* n <= TT_MOST_TAPS */
    int32_t first;
    int32_t rows, columns;
    int32_t scale; /* at most 2^15 */
    tt_grad_writer *writer;
    int32_t index, index_step, index_row;
} tt_slide_input;

#define TT_MOST_TAPS 7

/* mantissa[index + y * index_row + x * index_step] of
 *     floor(scale / 2^15 * sum over v < tap_rows, u < n of plane[first + y + v][x + u] * taps[v][u]).
 * Columns are summed up four at a time, the last ones perhaps outside. No sum on the way may leave int32. */
void tt_slide_input_rows(const tt_slide_input *job);

/* min(4, columns) such sums, not scaled yet, to the mantissas from `to` on. */
void tt_slide_put(const tt_slide_input *job, tt_mantissa *to, const int32_t *sums);

/* Some columns of a kernel's taps, and the rows of the output's gradient that they are multiplied with;
 * slide_weights.S knows the offsets. */
typedef struct {
    int32_t width;          /* of taps side by side: 3 or TT_WIDEST */
    int32_t height;         /* rows of taps */
    int32_t pitch;          /* bytes of the plane, from row to row */
    int32_t columns, rows;  /* of the output's gradient, at least 1 */
    int32_t step, row_step; /* bytes of the plane that one of them is further on */
} tt_slide_taps;

#define TT_WIDEST 5

/* sums[ky][kx] = sum over y < rows, x < columns of dy[y][x] * plane[ky + y * row][kx + x * column].
 * sums has room for two more. No sum on the way may leave int32. */
void tt_slide_weights(
    const tt_slide_taps *taps, const int32_t *plane, const int32_t *dy, int32_t *sums);

#endif
