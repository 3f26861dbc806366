/* How kernels that multiply pairs of 16 bits (armv7em) lay out what they expand. As in tt_packing.h, the
 * sizes are the same on every target, used or not. */
#ifndef TT_PAIRS_H
#define TT_PAIRS_H

#include "tt_packing.h"

/* What more than one group of weights may take: in place; where windows are copied; in small maps (in
 * pixels), which are far from a model's largest. */
#define TT_PAIR_BYTES 1024
#define TT_COLUMN_BYTES 1536
#define TT_SMALL_MAP_BYTES 4608
#define TT_SMALL_MAP 64

#define TT_PAIR_DEPTH 640 /* a window's elements at most: a group takes 5 KB then, inputs 2.5 KB */
#define TT_PAIR_PIXELS 4  /* from so many on expanding weights pays */

/* A convolution's weights: four output channels make a group; `groups` of them are expanded at a time.
 * `column`: windows are copied to int8 [depth] first. */
typedef struct {
    int32_t depth; /* elements of a window, rounded up to 4 */
    int32_t groups, column;
} tt_pair_packing;

static inline int32_t tt_pair_group_bytes(int32_t depth) {
    return 64 + 8 * depth; /* what is not weights: 4 words that sums begin with, 12 of scales */
}

static inline tt_pair_packing tt_pair_packing_of(const tt_window *w) {
    int32_t taps = w->kernel_h * w->kernel_w;
    tt_pair_packing k = {(taps * w->in_c + 3) & ~3, 0, taps > 1 || (w->in_c & 3) != 0};
    if (w->out_c >= 4 && w->out_h * w->out_w >= TT_PAIR_PIXELS && k.depth <= TT_PAIR_DEPTH) {
        int32_t group = tt_pair_group_bytes(k.depth);
        int32_t most = k.column ? TT_COLUMN_BYTES : TT_PAIR_BYTES;
        most = w->in_h * w->in_w <= TT_SMALL_MAP ? TT_SMALL_MAP_BYTES : most;
        do { /* several only save expanding inputs again */
            k.groups++;
        } while (4 * k.groups < w->out_c && (k.groups + 1) * group <= most);
    }
    return k;
}

/* Groups, two pixels' inputs in 16 bits, two columns. */
static inline int32_t tt_pair_bytes(const tt_window *w) {
    tt_pair_packing k = tt_pair_packing_of(w);
    int32_t pixels = (k.column ? 6 : 4) * k.depth;
    return k.groups == 0 ? 0 : k.groups * tt_pair_group_bytes(k.depth) + pixels;
}

/* Two channels of a depthwise convolution's input: of each `rows` rows of `columns` int16. `sums`: outputs
 * that lie in 32 bits before they are scaled. */
typedef struct {
    int32_t columns, rows, sums;
} tt_pair_plane;

#define TT_PAIR_SUMS 64 /* or a row, if that is more */

static inline tt_pair_plane tt_pair_plane_of(const tt_window *w) {
    int32_t width = (w->out_w + 1) & ~1; /* outputs are formed two at a time */
    tt_pair_plane k = {((width - 1) * w->stride_w + w->kernel_w + 1) & ~1,
        (w->out_h - 1) * w->stride_h + w->kernel_h, tt_max(TT_PAIR_SUMS, width)};
    while (k.rows > w->kernel_h && 4 * k.rows * k.columns > TT_PLANE_BYTES) {
        k.rows--;
    }
    return k;
}

/* Words of the weights of a channel, expanded. */
static inline int32_t tt_pair_taps(const tt_window *w) {
    return w->kernel_h * (w->kernel_w < 4 ? 2 : w->kernel_w - 1);
}

static inline int tt_takes_pairs(const tt_window *w) {
    return ((w->kernel_w == 3 && w->kernel_h == 3) || w->kernel_w == 5 || w->kernel_w == 7) &&
           w->stride_w < 3;
}

/* Weights, sums, planes. A part of the outputs may have more rows of fewer columns, up to the same limit. */
static inline int32_t tt_pair_plane_bytes(const tt_window *w) {
    tt_pair_plane k = tt_pair_plane_of(w);
    int32_t bytes = 4 * k.rows * k.columns;
    if (k.rows < (w->out_h - 1) * w->stride_h + w->kernel_h) {
        bytes = tt_max(bytes, TT_PLANE_BYTES);
    }
    return tt_takes_pairs(w) ? 4 * (tt_pair_taps(w) + k.sums) + bytes : 0;
}

#endif
