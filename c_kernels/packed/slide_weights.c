/* The inner loop of depthwise weight gradients in C. */
#include "tt_slide.h"

#define INLINE static inline __attribute__((always_inline))

INLINE void add_up(const tt_slide_taps *taps, const int32_t *plane, const int32_t *dy,
    int32_t *sums, int32_t width) {
    int32_t step = taps->step >> 2, row_step = (taps->row_step >> 2) - taps->columns * step;
    int32_t a = 0, b = 0, c = 0, d = 0, e = 0;
    for (int32_t rows = taps->rows; rows > 0; rows--, plane += row_step) {
        for (int32_t n = taps->columns; n > 0; n--, plane += step) {
            int32_t g = *dy++;
            a += plane[0] * g;
            b += plane[1] * g;
            c += plane[2] * g;
            if (width == 5) {
                d += plane[3] * g;
                e += plane[4] * g;
            }
        }
    }
    sums[0] = a;
    sums[1] = b;
    sums[2] = c;
    if (width == 5) {
        sums[3] = d;
        sums[4] = e;
    }
}

void tt_slide_weights(
    const tt_slide_taps *taps, const int32_t *plane, const int32_t *dy, int32_t *sums) {
    for (int32_t ky = taps->height; ky > 0; ky--, plane += taps->pitch >> 2) {
        if (taps->width == 5) {
            add_up(taps, plane, dy, sums, 5);
        } else {
            add_up(taps, plane, dy, sums, 3);
        }
        sums += taps->width;
    }
}
