/* The inner loop of depthwise weight gradients where there are 31 registers: three taps for two columns of
 * the output's gradient at a time, so that what both meet of the plane is loaded once. */
#include "tt_slide.h"

#define INLINE static inline __attribute__((always_inline))

typedef struct {
    int32_t taps[TT_WIDEST];
} row_of_taps;

INLINE void add(row_of_taps *s, const int32_t *v, int32_t g, int32_t width) {
    s->taps[0] += v[0] * g;
    s->taps[1] += v[1] * g;
    s->taps[2] += v[2] * g;
    if (width == 5) {
        s->taps[3] += v[3] * g;
        s->taps[4] += v[4] * g;
    }
}

INLINE void add_up(const tt_slide_taps *taps, const int32_t *plane, const int32_t *dy,
    int32_t *sums, int32_t width, int32_t step) {
    int32_t row_step = (taps->row_step >> 2) - taps->columns * step;
    row_of_taps s = {{0}};
    for (int32_t rows = taps->rows; rows > 0; rows--, plane += row_step) {
        int32_t n = taps->columns;
        for (; width == 3 && step == 1 && n > 1; n -= 2, plane += 2, dy += 2) {
            add(&s, plane, dy[0], width);
            add(&s, plane + 1, dy[1], width);
        }
        for (; n > 0; n--, plane += step) {
            add(&s, plane, *dy++, width);
        }
    }
    for (int32_t i = 0; i < width; i++) {
        sums[i] = s.taps[i];
    }
}

void tt_slide_weights(
    const tt_slide_taps *taps, const int32_t *plane, const int32_t *dy, int32_t *sums) {
    int32_t step = taps->step >> 2;
    for (int32_t ky = taps->height; ky > 0; ky--, plane += taps->pitch >> 2, sums += taps->width) {
        if (taps->width == 5) {
            add_up(taps, plane, dy, sums, 5, step);
        } else if (step == 1) {
            add_up(taps, plane, dy, sums, 3, 1);
        } else {
            add_up(taps, plane, dy, sums, 3, step);
        }
    }
}
