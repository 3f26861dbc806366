/* One row of a depthwise convolution, two outputs in a word, in C. */
#include "tt_plane_row.h"

#define INLINE static inline __attribute__((always_inline))

INLINE void row(const uint32_t *plane, const int32_t *taps, const tt_plane_shape *shape,
    int32_t *sums, int32_t n) {
    for (int32_t i = 0; i < shape->pairs; i++, sums += 2) {
        const uint32_t *x = plane;
        const int32_t *k = taps;
        int32_t high = shape->start;
        uint32_t total = (uint32_t)high + ((uint32_t)high << 16);
        for (int32_t ky = shape->kernel_h; ky > 0; ky--, k += n) {
            for (int32_t kx = 0; kx < n; kx += 2) {
                uint32_t p = x[kx] * (uint32_t)k[kx];
                p += kx + 1 < n ? x[kx + 1] * (uint32_t)k[kx + 1] : 0u;
                total += p;
                high += (int32_t)(p + 0x8000u) >> 16;
            }
            x += shape->row_step >> 2;
        }
        sums[0] = (int32_t)(total - ((uint32_t)high << 16));
        sums[1] = high;
        plane += shape->pair_step >> 2;
    }
}

void tt_plane_row_3(
    const uint32_t *plane, const int32_t *taps, const tt_plane_shape *shape, int32_t *sums) {
    row(plane, taps, shape, sums, 3);
}

void tt_plane_row_5(
    const uint32_t *plane, const int32_t *taps, const tt_plane_shape *shape, int32_t *sums) {
    row(plane, taps, shape, sums, 5);
}

void tt_plane_row_7(
    const uint32_t *plane, const int32_t *taps, const tt_plane_shape *shape, int32_t *sums) {
    row(plane, taps, shape, sums, 7);
}
