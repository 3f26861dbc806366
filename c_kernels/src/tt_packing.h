/* How the fast kernels lay out what they pack: the same sizes on every target, used or not.
 *
 * A packed row is two rows of int8 in one row of words, high * 2^16 + low, so that one 32-bit
 * multiplication serves both (docs/PERFORMANCE.md). */
#ifndef TT_PACKING_H
#define TT_PACKING_H

#include "tt_windows.h"

#define TT_PACKED_BYTES 2304 /* what packed weights may take */
#define TT_GROUP_BYTES 4736  /* what those of many inputs may take */
#define TT_WINDOW_BYTES 640  /* what windows may take, unless a single one takes more */
#define TT_MOST_WINDOWS 8
#define TT_PACKED_PIXELS 4 /* from so many on packing pays */
#define TT_GROUP_WORDS 30  /* of a group, besides its weights */

/* The weights of a convolution: 2 * pairs output channels make a group of depth * pairs words;
 * `groups` of them are packed at a time. windows: so many of a row are copied to int8 [depth] at a time,
 * 0: the pixels are read in place. */
typedef struct {
    int32_t depth; /* elements of a window, rounded up to 4 */
    int32_t pairs; /* 3 to 1, or 0: nothing is packed */
    int32_t groups;
    int32_t windows;
} tt_packing;

static inline int32_t tt_group_bytes(int32_t pairs, int32_t depth) {
    return 4 * (TT_GROUP_WORDS + pairs * depth);
}

static inline tt_packing tt_packing_of(const tt_window *w) {
    int32_t taps = w->kernel_h * w->kernel_w;
    tt_packing k = {(taps * w->in_c + 3) & ~3, 0, 0, 0};
    if (w->out_h * w->out_w < TT_PACKED_PIXELS || tt_group_bytes(1, k.depth) > TT_GROUP_BYTES) {
        return k;
    }
    if (taps > 1 || (w->in_c & 3) != 0) {
        k.windows = 1;
        int32_t most = tt_min(w->out_w, TT_MOST_WINDOWS);
        while (k.windows < most && (k.windows + 1) * k.depth <= TT_WINDOW_BYTES) {
            k.windows++;
        }
    }
    k.pairs = 3;
    while (tt_group_bytes(k.pairs, k.depth) > TT_GROUP_BYTES) {
        k.pairs--;
    }
    int32_t group = tt_group_bytes(k.pairs, k.depth), packed = 0;
    do { /* several groups only save copying windows again */
        k.groups++;
        packed += group;
    } while (
        k.windows > 0 && 2 * k.pairs * k.groups < w->out_c && packed + group <= TT_PACKED_BYTES);
    return k;
}

static inline int32_t tt_packing_bytes(tt_packing k) {
    return k.groups * tt_group_bytes(k.pairs, k.depth) + k.windows * k.depth;
}

/* Whether a fully connected layer of a single row has its inputs as words. Not if it widens: what is
 * nothing but such layers has little memory. */
static inline int tt_takes_words(const tt_window *w) {
    return tt_fully_connected(w) && (w->in_c & 3) == 0 && w->out_c >= 12 && w->out_c <= w->in_c &&
           4 * w->in_c <= TT_PACKED_BYTES;
}

/* Whether the gradient of a convolution's input goes by tiles of some pixels: 1x1 kernels. */
#define TT_TILE_ROWS 6     /* at most */
#define TT_TILE_BYTES 9216 /* what six rows may take; a target may do with four */

static inline int32_t tt_tile_bytes(int32_t n) {
    int32_t rows = 4 * TT_TILE_ROWS * n <= TT_TILE_BYTES ? TT_TILE_ROWS : 4;
    return 4 * rows * n;
}

static inline int tt_takes_tiles(const tt_window *w) {
    return w->kernel_h == 1 && w->kernel_w == 1 && w->stride_h == 1 && w->stride_w == 1 &&
           w->pad_top == 0 && w->pad_left == 0 && w->out_h == w->in_h && w->out_w == w->in_w &&
           w->in_h * w->in_w > 1;
}

/* The gradients of pointwise weights go by tiles of output channels, for so many pixels and input channels at a
 * time. */
#define TT_TILE_PIXELS 64
#define TT_TILE_CHANNELS 48

static inline int32_t tt_weight_tile_bytes(const tt_window *w, int32_t channels) {
    int32_t pixels = tt_min(TT_TILE_PIXELS, w->out_h * w->out_w);
    return 4 * TT_TILE_ROWS * (pixels + tt_min(TT_TILE_CHANNELS, channels));
}

/* One channel of a depthwise convolution: `rows` rows of `columns` words of the map, two outputs in
 * each word. */
typedef struct {
    int32_t columns, rows;
} tt_plane;

#define TT_PLANE_BYTES 2048

static inline tt_plane tt_plane_of(const tt_window *w) {
    int32_t pairs = (w->out_w + 1) >> 1;
    tt_plane k = {
        (pairs - 1) * 2 * w->stride_w + w->kernel_w, (w->out_h - 1) * w->stride_h + w->kernel_h};
    while (k.rows > w->kernel_h && k.rows * k.columns * 4 > TT_PLANE_BYTES) {
        k.rows--;
    }
    return k;
}

/* Taps, the sums of a row, the plane. A part of the outputs may have more rows of fewer columns, up to
 * the same limit. */
static inline int32_t tt_plane_bytes(const tt_window *w) {
    tt_plane k = tt_plane_of(w);
    int32_t words = k.rows * k.columns;
    if (k.rows < (w->out_h - 1) * w->stride_h + w->kernel_h) {
        words = tt_max(words, TT_PLANE_BYTES / 4);
    }
    return 4 * (w->kernel_h * w->kernel_w + ((w->out_w + 1) & ~1) + words);
}

/* One channel of the gradient of a depthwise convolution's input: the output's gradient with zeros
 * around it, `rows` rows of `columns` words at a time; column `left` is the map's first. For a stride of
 * 2 inputs of either parity are computed apart, with every other tap. */
typedef struct {
    int32_t columns, rows, left;
    int32_t height; /* of a band: so many rows of the input meet no others; 0: too large */
} tt_correlation;

static inline tt_correlation tt_correlation_of(const tt_window *w) {
    tt_correlation k = {0, w->out_h, 0, 0};
    if (w->stride_h > 2 || w->stride_w > 2 || w->in_c != w->out_c) {
        return k;
    }
    int32_t y_shift = w->stride_h - 1, x_shift = w->stride_w - 1;
    int32_t least = ((w->kernel_h - 1) >> y_shift) + 1; /* rows that meet one input row */
    k.left = (w->kernel_w - 1) >> x_shift;
    /* four outputs at a time, of which the last ones may lie outside */
    k.columns = k.left + ((w->in_w - 1 + w->pad_left) >> x_shift) + 4;
    while (k.rows > least && k.rows * k.columns * 4 > TT_PLANE_BYTES) {
        k.rows--;
    }
    if (k.rows * k.columns * 4 <= TT_PLANE_BYTES) {
        k.height = tt_max(1, (k.rows - least) * w->stride_h + 1 - y_shift);
        k.height = k.rows == w->out_h ? w->in_h : k.height;
    }
    return k;
}

/* Taps, the sums of a row, the plane. */
static inline int32_t tt_correlation_bytes(const tt_window *w) {
    tt_correlation k = tt_correlation_of(w);
    int32_t sums = ((w->in_w + w->stride_w - 1) >> (w->stride_w - 1)) + 3;
    return k.height == 0 ? 0 : 4 * (w->kernel_h * w->kernel_w + sums + k.rows * k.columns);
}

/* The same with a plane of int16, of which two are multiplied at a time: so many pairs of taps for each row
 * of the kernel and each parity of columns, once for even and once for odd inputs. */
static inline int32_t tt_correlation_pairs(int32_t taps) {
    return (taps >> 1) + 1;
}

/* Words of them. */
static inline int32_t tt_correlation_taps(const tt_window *w) {
    int32_t both = tt_correlation_pairs(w->kernel_w);
    if (w->stride_w == 2) {
        both =
            tt_correlation_pairs((w->kernel_w + 1) >> 1) + tt_correlation_pairs(w->kernel_w >> 1);
    }
    return 2 * both * w->kernel_h;
}

/* Columns of the plane: even, the first may be one later, and the last pair of taps reaches further. */
static inline int32_t tt_correlation_pitch(tt_correlation k) {
    return (k.columns + 3) & ~1;
}

/* With the sums of a row, and three words for each row of a band. */
static inline int32_t tt_correlation_pair_bytes(const tt_window *w) {
    tt_correlation k = tt_correlation_of(w);
    int32_t sums = ((w->in_w + w->stride_w - 1) >> (w->stride_w - 1)) + 3;
    int32_t plane = 2 * k.rows * tt_correlation_pitch(k);
    int32_t words = tt_correlation_taps(w) + sums + 3 * k.height * w->stride_w;
    return k.height == 0 ? 0 : 4 * words + plane;
}

/* The sums of four weights of some output channels, where inputs are packed for many. */
#define TT_SUM_ROWS 32

static inline int32_t tt_sum_rows_bytes(const tt_window *w) {
    return w->out_h * w->out_w == 1 ? 0 : 16 * tt_min(w->out_c, TT_SUM_ROWS);
}

/* One channel for the gradient of a depthwise weight: `rows` rows of the output's gradient, and as many
 * rows of `columns` words of the input as their windows cover; 0 rows: too large. `groups`: of four taps
 * side by side; three or five at a time do not reach further, but for a kernel of four. */
typedef struct {
    int32_t rows, columns, groups;
} tt_channel_rows;

#define TT_MOST_TAP_ROWS 7 /* whose sums lie on the stack */

static inline int32_t tt_channel_words(const tt_window *w, tt_channel_rows k) {
    return k.rows * w->out_w + ((k.rows - 1) * w->stride_h + w->kernel_h) * k.columns;
}

static inline tt_channel_rows tt_channel_rows_of(const tt_window *w) {
    int32_t groups = (w->kernel_w + 3) >> 2;
    int32_t taps = 4 * groups + (w->kernel_w == 4);
    tt_channel_rows k = {w->out_h, (w->out_w - 1) * w->stride_w + taps, groups};
    while (k.rows > 1 && 4 * tt_channel_words(w, k) > TT_PLANE_BYTES) {
        k.rows--;
    }
    if (4 * tt_channel_words(w, k) > TT_PLANE_BYTES || w->kernel_h > TT_MOST_TAP_ROWS) {
        k.rows = 0;
    }
    return k;
}

/* The same as pairs of int16, for every stride-th row and column of the input at a time: `pairs` pairs in each of so
 * many rows, and `more`, and `slack` for the zeros behind them. What a row reaches to the right of the map
 * and the next one to the left are the same zeros; the gradient's rows, of `pitch` pairs, end with some. 0 rows: too
 * large. */
typedef struct {
    int32_t rows, more, pairs, pitch, slack;
} tt_channel_pairs;

#define TT_TAP_BYTES 1792
#define TT_TAP_ZEROS 3 /* pairs behind the gradient, or behind each row that is summed by itself */

static inline int32_t tt_channel_pair_bytes(tt_channel_pairs k) {
    return 4 * (k.rows * (k.pairs + k.pitch) + k.more * k.pairs + k.slack + TT_TAP_ZEROS);
}

static inline tt_channel_pairs tt_channel_pairs_of(const tt_conv2d_bwd_weight_params *p) {
    const tt_window *w = &p->window;
    int32_t shift = w->stride_w - 1;
    tt_channel_pairs k = {0, 0, 0, 0, 0};
    if (shift > 1) {
        return k;
    }
    int32_t reach = w->out_w + ((w->kernel_w - 1) >> shift);
    int32_t right = reach - ((w->in_w + w->pad_left + shift) >> shift);
    int32_t shared = tt_max(tt_min(w->pad_left >> shift, right), 0);
    k.more = (int32_t)tt_divide((uint32_t)(w->kernel_h - 1), (uint32_t)w->stride_h);
    k.pairs = (tt_max(w->out_w, reach - shared) + 1) >> 1;
    k.pitch = k.pairs + (p->row_shift == 0 ? 0 : TT_TAP_ZEROS);
    k.slack = ((w->pad_left + w->kernel_w + 3 * shift) >> (1 + shift)) + TT_TAP_ZEROS;
    int32_t room = tt_max(TT_TAP_BYTES - tt_channel_pair_bytes(k), 0);
    int32_t row = 4 * (k.pairs + k.pitch);
    k.rows = tt_min(w->out_h, (int32_t)tt_divide((uint32_t)room, (uint32_t)row));
    return k;
}

#endif
