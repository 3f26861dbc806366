/* The tiles of tt_swar.h in C, but for one thing: whoever includes this defines before, inlined,
 *     sums_of(const int8_t *x, const int8_t *end, const tt_swar_group *group, int32_t pairs,
 *         int32_t *sums)
 * which forms the sums [2 * pairs] of a pixel; and TT_UNROLLED, what stands before the loop over them,
 * if anything. */
#ifndef TT_UNROLLED
#define TT_UNROLLED
#endif

INLINE void tile(tt_swar_job *job, int32_t pairs) {
    for (; job->pixels > 0; job->pixels--) {
        int32_t sums[6];
        sums_of(job->x, job->x + job->depth, job->group, pairs, sums);
        uint32_t kept = (1u << (2 * pairs)) - 1u;
        TT_UNROLLED
        for (int32_t c = 0; c < 2 * pairs; c++) {
            const tt_swar_scale *s = &job->group->scales[c];
            int32_t a = tt_swar_part(s, sums[c]);
            if (a == (int16_t)a) {
                int32_t low = a * s->multiplier + s->low;
                if (tt_swar_open(s, low)) {
                    a = tt_swar_exact(job, c, sums[c]);
                    kept &= a < 256 ? ~0u : ~(1u << c);
                    job->y[c] = (int8_t)a;
                    continue;
                }
                a = low >> TT_UNIT;
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
