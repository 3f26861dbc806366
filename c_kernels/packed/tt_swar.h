/* Two output channels in one 32-bit multiplication: the inner loop of the packed convolution.
 *
 * A job runs a group of 2 * pairs output channels over a row of pixels. For each pixel it forms
 *     sum[c] = start + sum over depth of x * w[c]        (mod 2^32)
 * exactly, and writes clamp8(out_zero + requantize(sum)) as the reference has it.
 *
 * A step adds up two products in either lane: from -2 * 128 * 127 to 2 * 128 * 128, a span of less than
 * 2^16. TT_LANES makes both lanes positive, so that they can be told apart; what all steps add of it is
 * taken off beforehand, in what sums start with. */
#ifndef TT_SWAR_H
#define TT_SWAR_H

#include "tt_packing.h"

#define TT_LANE 0x7f00u
#define TT_LANES (TT_LANE << 16 | TT_LANE)

/* How a channel's sums become outputs: a = sum * 2^TT_SUM_UP >> pre in int16, or else the output is
 * saturated; floor((a * multiplier + low) / 2^TT_UNIT) and the same of low + width are the ends of an
 * interval in which the reference's result lies. `width` is shifted up by 32 - TT_UNIT bits, so that
 * the carry of the fraction tells whether the ends differ. */
typedef struct {
    int32_t pre, multiplier, low;
    uint32_t width;
} tt_swar_scale;

#define TT_SUM_UP 6
#define TT_UNIT 21

static inline int32_t tt_swar_part(const tt_swar_scale *s, int32_t sum) {
    return (int32_t)((uint32_t)sum << TT_SUM_UP) >> s->pre;
}

/* Whether the ends of the interval from low on differ. */
static inline int tt_swar_open(const tt_swar_scale *s, int32_t low) {
    return ((uint32_t)low << (32 - TT_UNIT)) + s->width < s->width;
}

/* A group, packed; swar_tile.S knows the offsets. starts: for each pair, what T and H begin with.
 * weights [depth / 2][pairs][2]: high * 2^16 + low. */
typedef struct {
    tt_swar_scale scales[6];
    int32_t starts[6];
    uint32_t weights[];
} tt_swar_group;

typedef char tt_swar_group_is_as_planned[sizeof(tt_swar_group) == 4 * TT_GROUP_WORDS ? 1 : -1];

/* x: aligned to 4. clip: NULL or the mask's first byte, where the bits of the group are 0; clip_at: the
 * bit of the first output. y and clip_at move on. */
typedef struct {
    const int8_t *x;
    int32_t x_step;
    int8_t *y;
    int32_t y_step, pixels, depth;
    tt_swar_group *group;
    uint8_t *clip;
    int32_t clip_at, clip_step;
    /* the rest is for tt_swar_exact; of the group's first channel */
    const tt_conv2d *p;
    const int32_t *multiplier;
    const int8_t *shift;
} tt_swar_job;

void tt_swar_tile_1(tt_swar_job *job);
void tt_swar_tile_2(tt_swar_job *job);
void tt_swar_tile_3(tt_swar_job *job);

/* The output of a sum, as the reference computes it; + 256 if it was clamped. */
int32_t tt_swar_exact(const tt_swar_job *job, int32_t channel, int32_t sum);

/* Fill in scales of n channels with windows of `depth` elements; bias: of these channels, or NULL. */
void tt_swar_scales(tt_swar_group *group, const tt_conv2d *p, const int32_t *multiplier,
    const int8_t *shift, const int32_t *bias, int32_t depth, int32_t n);

/* Fill in starts and weights of `2 * pairs` channels from w on, `taps` weights each, for windows of
 * `depth` elements; bias: of these channels, or NULL. */
void tt_swar_pack(tt_swar_group *group, const tt_conv2d *p, int32_t pairs, int32_t depth,
    const int8_t *w, int32_t taps, const int32_t *bias);

/* What T and H of a pair of channels start with: the inputs' zero point, the biases if any, and less than
 * nothing for what every step adds to the lanes. sums: of the weights of either channel. */
static inline void tt_swar_start(
    int32_t *start, const tt_conv2d *p, const int32_t *sums, int32_t depth, const int32_t *bias) {
    uint32_t steps = TT_LANE * ((uint32_t)depth >> 1);
    uint32_t low = (uint32_t)(-p->in_zero * sums[0]) - steps;
    uint32_t high = (uint32_t)(-p->in_zero * sums[1]) - steps;
    if (bias != NULL) {
        low += (uint32_t)bias[0];
        high += (uint32_t)bias[1];
    }
    start[0] = (int32_t)(low + (high << 16));
    start[1] = (int32_t)high;
}

/* Rows of n bytes, which lie `step` bytes apart; n and rows > 0. From the first to the last, 16 at a time
 * at most. */
void tt_copy_rows(
    int8_t *to, int32_t to_step, const int8_t *from, int32_t from_step, int32_t n, int32_t rows);

/* Whether a weight is -128, which the lanes have no room for; w aligned to 4. */
int32_t tt_swar_too_small(const int8_t *w, int32_t n);

#endif
