/* The inner loop of depthwise gradients: rows of coefficients slide over a plane of words. */
#ifndef TT_SLIDE_H
#define TT_SLIDE_H

#include "tt_packing.h"

/* n: coefficients of a row; step: bytes of the plane from one's to the next, row_step: from where a row ends
 * to where the next begins; group_step: from four sums to the next. scale: at most 2^15, or negative. */
typedef struct {
    int32_t n, step;
    int32_t rows, row_step;
    int32_t groups, group_step;
    int32_t scale;
} tt_slide_shape;

/* s[i][r] = sum over rows y, k < n of plane[i][y][k][r] * coefficients[y][k], r < 4, i < groups, the
 * plane's words lying as the shape says. sums[i][r] = floor(s * scale / 2^15), or += s if the scale is
 * negative. No sum on the way may leave int32. */
void tt_slide(
    const int32_t *plane, const int32_t *coefficients, const tt_slide_shape *shape, int32_t *sums);

#endif
