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

/* A pair of pixels with `outputs` channels whose groups lie one after the other. A pixel's inputs are `rows`
 * rows of `words` words of four, `gap` bytes apart. inputs [rows][words][2][2]: for what both pixels' words have in bytes (0, 2), then (1, 3), with a
 * half of `offset` added to each. The second pixel's outputs lie y_step behind the first one's; it may be
 * the first again. clip: NULL, or the mask of the tensor that begins at `base`, its bits 0. pair_tile.S
 * knows the offsets. */
typedef struct {
    const int8_t *first, *second;
    int32_t words;
    uint32_t offset;
    int32_t rows, gap;
    const tt_pair_group *group;
    uint32_t *inputs;
    int8_t *y;
    int32_t outputs, y_step;
    uint8_t *clip;
    const int8_t *base;
} tt_pair_job;

void tt_pair_tiles(const tt_pair_job *job);

/* Four channels' weights, `stride` bytes apart, n > 0 words of each, as a group has them. */
void tt_pair_weights(const int8_t *w, int32_t stride, int32_t n, uint32_t *to);

/* Whether the outputs of a channel of so many taps are what this arithmetic makes of them; scale is
 * filled in then. */
int32_t tt_pair_scale_of(const tt_conv2d *p, int32_t taps, int32_t bias, int32_t multiplier,
    int32_t shift, tt_pair_scale *scale);

#endif
