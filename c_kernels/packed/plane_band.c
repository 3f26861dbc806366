/* Outputs of a depthwise convolution, two in a word, in C. */
#include "tt_plane.h"

#define INLINE static inline __attribute__((always_inline))

/* What the scale does not say. */
static __attribute__((noinline)) void put_exact(const tt_plane_band *band, int8_t *y, int32_t sum) {
    int32_t v = tt_plane_exact(band, sum);
    *y = (int8_t)v;
    if (v >= 256) {
        tt_plane_clipped(band, y);
    }
}

INLINE void put(const tt_plane_band *band, tt_plane_scale s, int8_t *y, int32_t sum) {
    int32_t a = sum >> s.pre;
    if (a == (int16_t)a) {
        int32_t low = a * s.multiplier + s.low, high = low + s.width;
        if ((low ^ high) >> s.shift != 0) {
            put_exact(band, y, sum);
            return;
        }
        a = low >> s.shift;
        if (a == (int8_t)a) {
            *y = (int8_t)a;
            return;
        }
    }
    *y = a < 0 ? -128 : 127;
    tt_plane_clipped(band, y);
}

/* Two outputs, for a kernel of n columns. A product in two lanes is p = high * 2^16 + low; |low| < 2^15
 * for two products, so that the high lane is p >> 16, rounded. */
INLINE void pair(const tt_plane_band *band, tt_plane_scale scale, const uint32_t *plane,
    const int32_t *taps, int8_t *y, int32_t y_step, int32_t rows, int32_t n) {
    uint32_t high = (uint32_t)band->start, total = high + (high << 16);
    int32_t row_step = band->row_step >> 2;
    for (; rows > 0; rows--, taps += n, plane += row_step) {
        for (int32_t kx = 0; kx < n; kx += 2) {
            uint32_t p = plane[kx] * (uint32_t)taps[kx];
            p += kx + 1 < n ? plane[kx + 1] * (uint32_t)taps[kx + 1] : 0u;
            total += p;
            high += (uint32_t)((int32_t)(p + 0x8000u) >> 16);
        }
    }
    put(band, scale, y, (int32_t)(total - (high << 16)));
    put(band, scale, y + y_step, (int32_t)high);
}

INLINE void outputs(const tt_plane_band *band, int32_t kernel_h, int32_t n) {
    const uint32_t *plane = band->plane;
    const int32_t *taps = band->taps;
    const tt_plane_scale scale = band->scale;
    int8_t *y = band->y;
    int32_t y_step = band->y_step, columns = band->columns;
    for (int32_t rows = band->rows; rows > 0; rows--) {
        for (int32_t next = 0; next < columns; next += 2) {
            int32_t x = tt_min(next, columns - 2); /* the last two once more if they are odd */
            pair(band, scale, plane + x * band->stride, taps, y + x * y_step, y_step, kernel_h, n);
        }
        plane += band->window_step >> 2;
        y += columns * y_step;
    }
}

void tt_plane_band_outputs(const tt_plane_band *band) {
    switch (band->kernel_w) {
        case 3:
            outputs(band, band->kernel_h, 3);
            break;
        case 5:
            outputs(band, band->kernel_h, 5);
            break;
        default:
            outputs(band, band->kernel_h, 7);
            break;
    }
}
