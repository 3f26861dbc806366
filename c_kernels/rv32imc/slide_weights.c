/* The inner loop of depthwise weight gradients where there are 31 registers: taps side by side for four columns of
 * the output's gradient at a time, so that what these meet of the plane is loaded once. */
#include "tt_slide.h"

#define INLINE static inline __attribute__((always_inline))
#define OUTLINE static __attribute__((noinline)) /* its loop has all registers */

INLINE void add(int32_t *taps, const int32_t *v, int32_t g) {
    taps[0] += v[0] * g;
    taps[1] += v[1] * g;
    taps[2] += v[2] * g;
}

/* Three taps; what each meets are words that follow each other. */
OUTLINE void three(
    const tt_slide_taps *taps, const int32_t *plane, const int32_t *dy, int32_t *sums) {
    int32_t columns = taps->columns, row_step = (taps->row_step >> 2) - columns;
    int32_t s[3] = {0, 0, 0};
    for (int32_t rows = taps->rows; rows > 0; rows--, plane += row_step) {
        int32_t n = columns;
        for (; n > 3; n -= 4, plane += 4, dy += 4) {
            add(s, plane, dy[0]);
            add(s, plane + 1, dy[1]);
            add(s, plane + 2, dy[2]);
            add(s, plane + 3, dy[3]);
        }
        for (; n > 0; n--) {
            add(s, plane++, *dy++);
        }
    }
    sums[0] = s[0];
    sums[1] = s[1];
    sums[2] = s[2];
}

/* Three or five, with any step. */
INLINE void add_up(const tt_slide_taps *taps, const int32_t *plane, const int32_t *dy,
    int32_t *sums, int32_t width) {
    int32_t step = taps->step >> 2, row_step = (taps->row_step >> 2) - taps->columns * step;
    int32_t s[3] = {0, 0, 0}, d = 0, e = 0;
    for (int32_t rows = taps->rows; rows > 0; rows--, plane += row_step) {
        for (int32_t n = taps->columns; n > 0; n--, plane += step) {
            int32_t g = *dy++;
            add(s, plane, g);
            if (width == TT_WIDEST) {
                d += plane[3] * g;
                e += plane[4] * g;
            }
        }
    }
    sums[0] = s[0];
    sums[1] = s[1];
    sums[2] = s[2];
    if (width == TT_WIDEST) {
        sums[3] = d;
        sums[4] = e;
    }
}

OUTLINE void others(
    const tt_slide_taps *taps, const int32_t *plane, const int32_t *dy, int32_t *sums) {
    if (taps->width == TT_WIDEST) {
        add_up(taps, plane, dy, sums, TT_WIDEST);
    } else {
        add_up(taps, plane, dy, sums, 3);
    }
}

void tt_slide_weights(
    const tt_slide_taps *taps, const int32_t *plane, const int32_t *dy, int32_t *sums) {
    for (int32_t ky = taps->height; ky > 0; ky--, plane += taps->pitch >> 2, sums += taps->width) {
        if (taps->step == 4 && taps->width == 3) {
            three(taps, plane, dy, sums);
        } else {
            others(taps, plane, dy, sums);
        }
    }
}
