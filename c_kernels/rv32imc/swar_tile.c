/* The tiles of tt_swar.h where there are 31 registers: three pairs of channels for two pixels at a time,
 * so that each weight is loaded once for both. */
#include "tt_tile_outputs.h"

#define INLINE static inline __attribute__((always_inline))

/* The sums of a pair of channels at a pixel: T and H as armv6m/swar_tile.S forms them. */
typedef struct {
    uint32_t t, h;
} lanes;

typedef struct {
    lanes pairs[3];
} pixel;

INLINE lanes begin_pair(const int32_t *start) {
    lanes s = {(uint32_t)start[0], (uint32_t)start[1]};
    return s;
}

INLINE pixel begin(const tt_swar_group *group) {
    const int32_t *s = group->starts;
    pixel p = {{begin_pair(s), begin_pair(s + 2), begin_pair(s + 4)}};
    return p;
}

INLINE void add(lanes *s, const uint32_t *w, uint32_t a, uint32_t b) {
    uint32_t p = w[0] * a + w[1] * b + TT_LANES;
    s->t += p;
    s->h += p >> 16;
    __asm__("" : "+r"(s->t), "+r"(s->h)); /* now: sums that wait for the next step fill registers */
}

/* Two inputs, of one pixel or of two. */
INLINE void step(pixel *first, pixel *second, const int8_t *x, const int8_t *next,
    const uint32_t *w, int32_t pixels, int32_t pairs) {
    uint32_t a = (uint32_t)x[0], b = (uint32_t)x[1];
    uint32_t c = pixels > 1 ? (uint32_t)next[0] : 0u, d = pixels > 1 ? (uint32_t)next[1] : 0u;
    add(&first->pairs[0], w, a, b);
    if (pixels > 1) {
        add(&second->pairs[0], w, c, d);
    }
    if (pairs > 1) {
        add(&first->pairs[1], w + 2, a, b);
        if (pixels > 1) {
            add(&second->pairs[1], w + 2, c, d);
        }
    }
    if (pairs > 2) {
        add(&first->pairs[2], w + 4, a, b);
        if (pixels > 1) {
            add(&second->pairs[2], w + 4, c, d);
        }
    }
}

INLINE void end_pair(lanes s, int32_t *sums) {
    sums[0] = (int32_t)(s.t - (s.h << 16));
    sums[1] = (int32_t)s.h;
}

INLINE void end(const pixel *p, int32_t pairs, int32_t *sums) {
    end_pair(p->pairs[0], sums);
    if (pairs > 1) {
        end_pair(p->pairs[1], sums + 2);
    }
    if (pairs > 2) {
        end_pair(p->pairs[2], sums + 4);
    }
}

/* sums [pixels][2 * pairs] */
INLINE void sums_of(const tt_swar_job *job, int32_t pixels, int32_t pairs, int32_t *sums) {
    const int8_t *x = job->x, *next = x + job->x_step, *last = x + job->depth;
    const uint32_t *w = job->group->weights;
    int32_t steps = pixels > 1 ? 2 : 1;
    pixel first = begin(job->group), second = first;
    do {
        step(&first, &second, x, next, w, pixels, pairs);
        if (steps > 1) {
            step(&first, &second, x + 2, next + 2, w + 2 * pairs, pixels, pairs);
        }
        x += 2 * steps;
        next += 2 * steps;
        w += 2 * steps * pairs;
    } while (x != last);
    end(&first, pairs, sums);
    if (pixels > 1) {
        end(&second, pairs, sums + 2 * pairs);
    }
}

/* So many pixels at once; what are left have to be done one by one. */
INLINE void tile(tt_swar_job *job, int32_t pixels, int32_t pairs) {
    int32_t sums[12], left = job->pixels;
    for (; left >= pixels; left -= pixels) {
        sums_of(job, pixels, pairs, sums);
        tt_tile_end(job, 2 * pairs, sums, pixels);
        job->x += pixels * job->x_step;
    }
    job->pixels = left;
}

void tt_swar_tile_1(tt_swar_job *job) {
    tile(job, 1, 1);
}

void tt_swar_tile_2(tt_swar_job *job) {
    if (job->pixels > 1) {
        tile(job, 2, 2);
    }
    if (job->pixels > 0) {
        tile(job, 1, 2);
    }
}

void tt_swar_tile_3(tt_swar_job *job) {
    if (job->pixels > 1) {
        tile(job, 2, 3);
    }
    if (job->pixels > 0) {
        tile(job, 1, 3);
    }
}
