/* The tiles of tt_swar.h with MAC16: a pixel as int16, one channel after the other. */
#include "tt_mac16.h"
#include "tt_mac16_tile.h"
#include "tt_swar.h"
#include "tt_tile_outputs.h"

/* The sums of a pixel. */
TT_INLINE void sums_of(const tt_swar_job *job, int32_t n, int16_t *inputs, int32_t *sums) {
    const int16_t *w = (const int16_t *)(const void *)job->group->weights;
    const int32_t *from = job->group->starts;
    for (int32_t k = 0; k < job->depth; k += TT_BLOCK, from = sums) {
        int32_t block = tt_min(TT_BLOCK, job->depth - k);
        tt_mac16_expand(job->x + k, block >> 2, inputs);
        tt_mac16_rows(inputs, w, block >> 2, n, from, sums, 4);
        w += n * block;
    }
}

static void tile(tt_swar_job *job, int32_t n) {
    int32_t sums[6];
    int16_t inputs[TT_BLOCK + 2] __attribute__((aligned(4)));
    for (; job->pixels > 0; job->pixels--) {
        sums_of(job, n, inputs, sums);
        tt_tile_end(job, n, sums, 1);
        job->x += job->x_step;
    }
}

void tt_swar_tile_1(tt_swar_job *job) {
    tile(job, 2);
}

void tt_swar_tile_2(tt_swar_job *job) {
    tile(job, 4);
}

void tt_swar_tile_3(tt_swar_job *job) {
    tile(job, 6);
}
