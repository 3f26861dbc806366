/* Two output channels in one multiplication, in C: tt_swar.h says what the tiles compute. */
#include "tt_swar.h"

#define INLINE static inline __attribute__((always_inline))

/* The sums of one pixel: T and H of each pair, as armv6m/swar_tile.S forms them. */
INLINE void sums_of(
    const int8_t *x, const int8_t *end, const tt_swar_group *group, int32_t pairs, int32_t *sums) {
    const uint32_t *w = group->weights;
    uint32_t t0 = (uint32_t)group->starts[0], t1 = (uint32_t)group->starts[2];
    uint32_t t2 = (uint32_t)group->starts[4];
    int32_t h0 = group->starts[1], h1 = group->starts[3], h2 = group->starts[5];
    do {
        uint32_t a = (uint32_t)x[0], b = (uint32_t)x[1];
        uint32_t p = w[0] * a + w[1] * b + 0x8000u;
        t0 += p;
        h0 += (int32_t)p >> 16;
        if (pairs > 1) {
            p = w[2] * a + w[3] * b + 0x8000u;
            t1 += p;
            h1 += (int32_t)p >> 16;
        }
        if (pairs > 2) {
            p = w[4] * a + w[5] * b + 0x8000u;
            t2 += p;
            h2 += (int32_t)p >> 16;
        }
        w += 2 * pairs;
        x += 2;
    } while (x != end);
    sums[0] = (int32_t)(t0 - ((uint32_t)h0 << 16));
    sums[1] = h0;
    if (pairs > 1) {
        sums[2] = (int32_t)(t1 - ((uint32_t)h1 << 16));
        sums[3] = h1;
    }
    if (pairs > 2) {
        sums[4] = (int32_t)(t2 - ((uint32_t)h2 << 16));
        sums[5] = h2;
    }
}

INLINE void tile(tt_swar_job *job, int32_t pairs) {
    for (; job->pixels > 0; job->pixels--) {
        int32_t sums[6];
        sums_of(job->x, job->x + job->depth, job->group, pairs, sums);
        uint32_t kept = (1u << (2 * pairs)) - 1u;
        for (int32_t c = 0; c < 2 * pairs; c++) {
            const tt_swar_scale *s = &job->group->scales[c];
            int32_t a = sums[c] >> s->pre;
            if (a == (int16_t)a) {
                int32_t low = a * s->multiplier + s->low, high = low + s->width;
                if ((low ^ high) >> 21 != 0) {
                    a = tt_swar_exact(job, c, sums[c]);
                    kept &= a < 256 ? ~0u : ~(1u << c);
                    job->y[c] = (int8_t)a;
                    continue;
                }
                a = low >> 21;
                if (a == (int8_t)a) {
                    job->y[c] = (int8_t)a;
                    continue;
                }
            }
            kept &= ~(1u << c);
            job->y[c] = a < 0 ? -128 : 127;
        }
        if (job->clip != NULL) {
            uint8_t *byte = job->clip + (job->clip_at >> 3);
            kept <<= job->clip_at & 7;
            byte[0] = (uint8_t)(byte[0] | kept);
            if (kept > 255u) {
                byte[1] = (uint8_t)(byte[1] | kept >> 8);
            }
            job->clip_at += job->clip_step;
        }
        job->x += job->x_step;
        job->y += job->y_step;
    }
}

void tt_swar_tile_1(tt_swar_job *job) {
    tile(job, 1);
}

void tt_swar_tile_2(tt_swar_job *job) {
    tile(job, 2);
}

void tt_swar_tile_3(tt_swar_job *job) {
    tile(job, 3);
}
