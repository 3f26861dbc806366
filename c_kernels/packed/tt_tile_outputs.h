/* The second half of a tile in C: sums to outputs and to bits of the mask. */
#ifndef TT_TILE_OUTPUTS_H
#define TT_TILE_OUTPUTS_H

#include "tt_swar.h"

/* What is noted of a pixel's outputs: in bits 0 to 5 which are clamped, from bit 8 on of which the scale
 * does not decide. A second pixel's bits begin at 16. */
#define TT_TILE_CLAMPED 1u
#define TT_TILE_OPEN 256u
#define TT_TILE_PIXEL 0xffffu

#define TT_LIKELY(condition) __builtin_expect((condition), 1)

static inline __attribute__((always_inline)) uint32_t tt_tile_put(
    tt_swar_scale s, int32_t sum, int8_t *y) {
    int32_t a = tt_swar_part(&s, sum);
    if (TT_LIKELY((uint32_t)a + 0x8000u <= 0xffffu)) { /* int16 */
        int32_t low = a * s.multiplier + s.low;
        if (!TT_LIKELY(!tt_swar_open(&s, low))) {
            return TT_TILE_OPEN;
        }
        a = low >> TT_UNIT;
        if (TT_LIKELY((uint32_t)a + 0x80u <= 0xffu)) { /* int8 */
            *y = (int8_t)a;
            return 0;
        }
    }
    *y = (int8_t)(a >> 31 ^ 127);
    return TT_TILE_CLAMPED;
}

/* Outputs from sums [pixels][n] of one pixel or two, which lie `step` apart; returns what is noted. */
static __attribute__((noinline)) uint32_t tt_tile_outputs(const tt_swar_scale *scales, int32_t n,
    const int32_t *sums, int32_t pixels, int8_t *y, int32_t step) {
    const tt_swar_scale *s = scales, *end = s + n;
    uint32_t noted = 0;
    for (; s != end; s++, sums++, y++) {
        tt_swar_scale scale = *s;
        uint32_t bits = tt_tile_put(scale, *sums, y);
        if (bits != 0) {
            noted |= bits << (s - scales);
        }
        if (pixels > 1) {
            bits = tt_tile_put(scale, sums[n], y + step);
            if (bits != 0) {
                noted |= bits << 16 << (s - scales);
            }
        }
    }
    return noted;
}

/* What is left to do for a pixel. */
static __attribute__((noinline)) void tt_tile_finish(
    tt_swar_job *job, int32_t n, const int32_t *sums, uint32_t noted, int8_t *y) {
    uint32_t open = noted >> 8;
    for (int32_t c = 0; open != 0; c++, open >>= 1) {
        if ((open & 1) != 0) {
            int32_t v = tt_swar_exact(job, c, sums[c]);
            y[c] = (int8_t)v;
            noted |= v < 256 ? 0u : TT_TILE_CLAMPED << c;
        }
    }
    if (job->clip != NULL) {
        uint8_t *byte = job->clip + (job->clip_at >> 3);
        uint32_t kept = (~noted & ((1u << n) - 1u)) << (job->clip_at & 7);
        byte[0] = (uint8_t)(byte[0] | kept);
        if (kept > 255u) {
            byte[1] = (uint8_t)(byte[1] | kept >> 8);
        }
        job->clip_at += job->clip_step;
    }
}

/* Sums [pixels][n] to outputs; y and clip_at move on. */
static inline __attribute__((always_inline)) void tt_tile_end(
    tt_swar_job *job, int32_t n, const int32_t *sums, int32_t pixels) {
    int8_t *y = job->y;
    int32_t step = job->y_step;
    uint32_t noted = tt_tile_outputs(job->group->scales, n, sums, pixels, y, step);
    if ((noted & TT_TILE_PIXEL) != 0 || job->clip != NULL) {
        tt_tile_finish(job, n, sums, noted & TT_TILE_PIXEL, y);
    }
    y += step;
    if (pixels > 1) {
        if (noted > TT_TILE_PIXEL || job->clip != NULL) {
            tt_tile_finish(job, n, sums + n, noted >> 16, y);
        }
        y += step;
    }
    job->y = y;
}

#endif
