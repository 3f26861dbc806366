/* Convolutions for two pixels and four channels at a time. Inputs, less their zero point, and weights,
 * doubled, are int16: a word holds two of them, so that one SMLAD serves two. */
#ifndef TT_PAIR_TILE_H
#define TT_PAIR_TILE_H

#include "tt_pairs.h"

/* From a sum to its output: clamp8((add + (2 * sum * multiplier >> 32, rounded)) >> shift), less a 1 if
 * the sum is negative: halves away from zero. */
typedef struct {
    int32_t multiplier, add, shift;
} tt_pair_scale;

/* starts and sums are doubled. weights [depth / 2][4]: of each four of a channel's two words lie four
 * words apart, (0, 2) and (1, 3). Then four scales. */
typedef struct {
    int32_t starts[4];
    uint32_t weights[];
} tt_pair_group;

/* Groups one after the other from `group` on until `y` is `y_end`, 4 channels each. inputs: as
 * tt_pair_inputs writes them. The second pixel's outputs lie y_step behind the first one's; it may be
 * the first again. clip: NULL, or the mask's first byte, where the bits are 0; clip_at: the bit of the first
 * output. pair_tile.S knows the offsets. */
typedef struct {
    const tt_pair_group *group;
    const uint32_t *inputs, *inputs_end;
    int8_t *y, *y_end;
    int32_t y_step;
    uint8_t *clip;
    int32_t clip_at;
} tt_pair_job;

void tt_pair_tiles(const tt_pair_job *job);

/* Two pixels x, n words of four each: to [n][2][2], of each word of both the bytes (0, 2), then (1, 3),
 * with a half of `offset` added to each. */
void tt_pair_inputs(
    const int8_t *first, const int8_t *second, int32_t n, uint32_t offset, uint32_t *to);

/* Whether the outputs of a channel of so many taps are what this arithmetic makes of them; scale is
 * filled in then. */
int32_t tt_pair_scale_of(const tt_conv2d *p, int32_t taps, int32_t bias, int32_t multiplier,
    int32_t shift, tt_pair_scale *scale);

#endif
