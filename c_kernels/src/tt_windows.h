/* Walking over windows: from an output pixel to the inputs it reads, and back. */
#ifndef TT_WINDOWS_H
#define TT_WINDOWS_H

#include "tt_arithmetic.h"

/* A fully connected layer of a single row. */
static inline int tt_fully_connected(const tt_window *w) {
    return w->kernel_h * w->kernel_w * w->in_h * w->in_w * w->out_h * w->out_w == 1 &&
           w->pad_top == 0 && w->pad_left == 0;
}

/* First input row (column) of the window of output row (column) `out`; may lie outside. */
static inline int32_t tt_window_top(const tt_window *w, int32_t out) {
    return out * w->stride_h - w->pad_top;
}

static inline int32_t tt_window_left(const tt_window *w, int32_t out) {
    return out * w->stride_w - w->pad_left;
}

/* The part of a window that lies inside the map: of how many rows and columns, and where it begins,
 * counted in pixels of the map and in taps of the kernel. */
typedef struct {
    int32_t rows, columns;
    int32_t pixel, tap;
} tt_patch;

static inline tt_patch tt_patch_of(const tt_window *w, int32_t out_y, int32_t out_x) {
    int32_t top = tt_window_top(w, out_y), left = tt_window_left(w, out_x);
    int32_t first_row = tt_max(-top, 0), first_column = tt_max(-left, 0);
    tt_patch patch = {
        tt_min(w->kernel_h, w->in_h - top) - first_row,
        tt_min(w->kernel_w, w->in_w - left) - first_column,
        (top + first_row) * w->in_w + left + first_column,
        first_row * w->kernel_w + first_column,
    };
    return patch;
}

/* The windows that cover an input coordinate c: taps first, first + stride, ... of the windows at
 * output, output - 1, ... where c + pad = output * stride + first. Advanced with the coordinate,
 * because division is expensive. */
typedef struct {
    int32_t first;
    int32_t output;
} tt_cover;

static inline tt_cover tt_cover_begin(int32_t pad, int32_t stride) {
    tt_cover cover = {pad, 0};
    while (cover.first >= stride) {
        cover.first -= stride;
        cover.output++;
    }
    return cover;
}

static inline void tt_cover_next(tt_cover *cover, int32_t stride) {
    if (++cover->first == stride) {
        cover->first = 0;
        cover->output++;
    }
}

/* The pairs (output pixel, tap) that cover an input pixel, one after the other. */
typedef struct {
    int32_t out_y, out_x;
    int32_t pixel;                            /* out_y * out_w + out_x */
    int32_t tap;                              /* kernel row * kernel_w + kernel column */
    int32_t row_tap, row, column_tap, column; /* the next pair */
} tt_covering;

static inline tt_covering tt_covering_begin(tt_cover rows, tt_cover columns) {
    tt_covering c = {0, 0, 0, 0, rows.first, rows.output, columns.first, columns.output};
    return c;
}

/* Step to the next covering pair inside the output map; 0 when there is none left. The first call
 * gives the first pair. */
static inline int tt_covering_next(tt_covering *c, const tt_window *w, tt_cover columns) {
    while (c->row_tap < w->kernel_h && c->row >= 0) {
        while (c->row < w->out_h && c->column_tap < w->kernel_w && c->column >= 0) {
            int inside = c->column < w->out_w;
            c->out_y = c->row;
            c->out_x = c->column;
            c->pixel = c->row * w->out_w + c->column;
            c->tap = c->row_tap * w->kernel_w + c->column_tap;
            c->column_tap += w->stride_w;
            c->column--;
            if (inside) {
                return 1;
            }
        }
        c->row_tap += w->stride_h;
        c->row--;
        c->column_tap = columns.first;
        c->column = columns.output;
    }
    return 0;
}

/* One tap of a kernel in a weight gradient: the rectangle of output pixels for which it lies inside
 * the map, where that begins in output and input, and how far apart its pixels are (in elements). */
typedef struct {
    int32_t rows, columns;
    int32_t dy_begin, dy_row, dy_column;
    int32_t x_begin, x_row, x_column;
} tt_tap;

tt_tap tt_tap_of(const tt_window *w, int32_t kernel_row, int32_t kernel_column);

/* sum over rows of round(sum over pixels of dy * (x - in_zero) / 2^row_shift); dy and x point at
 * the first pixel's value of one channel. */
int32_t tt_tap_sum(
    const tt_tap *tap, const tt_mantissa *dy, const int8_t *x, int32_t in_zero, int32_t row_shift);

/* The same for n channels side by side. */
void tt_tap_sums(const tt_tap *tap, const tt_mantissa *dy, const int8_t *x, int32_t in_zero,
    int32_t row_shift, int32_t n, int32_t *d);

/* sums[i] = sum over n pixels of dy * (x[i] - zero), i < 4; so many elements lie between pixels. */
void tt_row_sums(const tt_mantissa *dy, int32_t dy_step, const int8_t *x, int32_t x_step, int32_t n,
    int32_t zero, int32_t *sums);
void tt_row_sums_plain(const tt_mantissa *dy, int32_t dy_step, const int8_t *x, int32_t x_step,
    int32_t n, int32_t zero, int32_t *sums);

/* The weight gradient of one channel of a depthwise convolution: d [kernel_h,kernel_w]; dy and x point at
 * the channel. scratch: what tt_depthwise_conv2d_bwd_weight_scratch says beyond d, or NULL. */
void tt_depthwise_sums(const tt_conv2d_bwd_weight_params *p, const tt_mantissa *dy, const int8_t *x,
    int32_t *d, int32_t *scratch);
void tt_depthwise_sums_plain(
    const tt_conv2d_bwd_weight_params *p, const tt_mantissa *dy, const int8_t *x, int32_t *d);

#endif
