/* The inner loop of depthwise weight gradients in C. */
#include "tt_slide.h"

void tt_slide(
    const int32_t *plane, const int32_t *coefficients, const tt_slide_shape *shape, int32_t *sums) {
    int32_t step = shape->step >> 2, row_step = shape->row_step >> 2;
    for (int32_t i = 0; i < shape->groups; i++, sums += 4, plane += shape->group_step >> 2) {
        const int32_t *v = plane, *k = coefficients;
        int32_t a = 0, b = 0, c = 0, d = 0;
        for (int32_t rows = shape->rows; rows > 0; rows--, v += row_step) {
            for (int32_t n = shape->n; n > 0; n--, v += step) {
                int32_t f = *k++;
                a += v[0] * f;
                b += v[1] * f;
                c += v[2] * f;
                d += v[3] * f;
            }
        }
        sums[0] += a;
        sums[1] += b;
        sums[2] += c;
        sums[3] += d;
    }
}
