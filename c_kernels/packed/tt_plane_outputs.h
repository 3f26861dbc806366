/* Sums of a channel to outputs, in C. */
#ifndef TT_PLANE_OUTPUTS_H
#define TT_PLANE_OUTPUTS_H

#include "tt_plane.h"

#define TT_LIKELY(condition) __builtin_expect((condition), 1)

/* What the scale does not say. */
static __attribute__((noinline)) void tt_plane_put_exact(
    const tt_plane_band *band, int8_t *y, int32_t sum) {
    int32_t v = tt_plane_exact(band, sum);
    *y = (int8_t)v;
    if (v >= 256) {
        tt_plane_clipped(band, y);
    }
}

static inline __attribute__((always_inline)) void tt_plane_put(
    const tt_plane_band *band, tt_plane_scale s, int8_t *y, int32_t sum) {
    int32_t a = sum >> s.pre;
    if (TT_LIKELY((uint32_t)a + 0x8000u <= 0xffffu)) { /* int16 */
        int32_t low = a * s.multiplier + s.low, high = low + s.width;
        if (!TT_LIKELY((low ^ high) >> s.shift == 0)) {
            tt_plane_put_exact(band, y, sum);
            return;
        }
        a = low >> s.shift;
        if (TT_LIKELY((uint32_t)a + 0x80u <= 0xffu)) { /* int8 */
            *y = (int8_t)a;
            return;
        }
    }
    *y = (int8_t)(a >> 31 ^ 127);
    tt_plane_clipped(band, y);
}

#endif
