/* Convolutions trained in part, with no more than a few of their weights put together. */
#include "tt_channels.h"
#include "tt_gradient.h"
#include "tt_tile.h"

#define COLUMNS 8 /* input channels at a time: 128 bytes of sums on the stack */

/* Parts of the scratch memory, in bytes. */
typedef struct {
    int32_t weights, outputs, bits;
} block_bytes;

static block_bytes bytes_of(const tt_conv2d_partial *p) {
    const tt_window *w = &p->layer.window;
    int32_t size = p->block * w->out_h * w->out_w;
    block_bytes n = {(p->block * w->kernel_h * w->kernel_w * w->in_c + 3) & ~3, (size + 3) & ~3,
        ((size >> 3) + 3) & ~3};
    return n;
}

static tt_conv2d block_layer(const tt_conv2d_partial *p) {
    tt_conv2d layer = p->layer;
    layer.window.out_c = p->block;
    return layer;
}

int32_t tt_conv2d_s8__partial_scratch(const tt_conv2d_partial *p) {
    block_bytes n = bytes_of(p);
    tt_conv2d layer = block_layer(p);
    return n.weights + n.outputs + n.bits + tt_conv2d_s8_scratch(&layer);
}

/* Rows of n bytes to rows that begin `step` bytes apart. */
static void spread(const uint8_t *from, int32_t rows, int32_t n, uint8_t *to, int32_t step) {
    for (; rows > 0; rows--, to += step) {
        for (int32_t i = 0; i < n; i++) {
            to[i] = *from++;
        }
    }
}

void tt_conv2d_s8__partial(const tt_conv2d_partial *p, const int16_t *index, const int8_t *x,
    const int8_t *w, const int8_t *trained, const int32_t *bias, const int32_t *multiplier,
    const int8_t *shift, int8_t *y, uint8_t *clip, int32_t *scratch, tt_part *part) {
    const tt_window *win = &p->layer.window;
    int32_t pixels = win->out_h * win->out_w, out_c = win->out_c, block = p->block;
    block_bytes n = bytes_of(p);
    uint8_t *weights = (uint8_t *)scratch, *outputs = weights + n.weights;
    uint8_t *bits = outputs + n.outputs;
    int32_t *inner = scratch + ((n.weights + n.outputs + n.bits) >> 2);
    tt_conv2d layer = block_layer(p);
    tt_channels rows = {block * win->kernel_h * win->kernel_w, win->in_c, p->taken};
    tt_span span = tt_part_take(part, (int32_t)tt_divide((uint32_t)out_c, (uint32_t)block));
    for (int32_t i = span.first; i < span.last; i++) {
        int32_t o = i * block;
        tt_merge_channels_s8(&rows, index, w + i * rows.rows * rows.channels,
            trained + i * rows.rows * rows.taken, (int8_t *)weights);
        tt_conv2d_s8(&layer, x, (const int8_t *)weights, bias != NULL ? bias + o : NULL,
            multiplier + o, shift + o, (int8_t *)outputs, clip != NULL ? bits : NULL, inner);
        spread(outputs, pixels, block, (uint8_t *)y + o, out_c);
        if (clip != NULL) {
            spread(bits, pixels, block >> 3, clip + (o >> 3), out_c >> 3);
        }
    }
}

/* What one group of four pixels works on. */
typedef struct {
    const int32_t *g;
    tt_grad_writer *writer;
    int32_t first; /* mantissa of the first pixel */
    int32_t rows, in_c, out_c;
} pixels;

/* The sums of `count` <= COLUMNS columns of weights, which lie `stride` apart. */
static void column_sums(
    const pixels *at, const int8_t *w, int32_t stride, int32_t count, int32_t *sums) {
    tt_tile tile = {stride, at->out_c, count};
    tt_gradient_tile(at->g, w, &tile, sums);
}

static void frozen_columns(const pixels *at, const int8_t *w, int32_t from, int32_t to) {
    int32_t sums[COLUMNS * TT_TILE_ROWS];
    for (; from < to; from += COLUMNS) {
        int32_t count = tt_min(COLUMNS, to - from);
        column_sums(at, w + from, at->in_c, count, sums);
        for (int32_t r = 0; r < at->rows; r++) {
            int32_t index = at->first + r * at->in_c + from;
            tt_grad_put(at->writer, index, 1, sums + r, TT_TILE_ROWS, count);
        }
    }
}

static void trained_columns(
    const pixels *at, const int8_t *trained, int32_t taken, const int16_t *index) {
    int32_t sums[COLUMNS * TT_TILE_ROWS];
    for (int32_t from = 0; from < taken; from += COLUMNS) {
        int32_t count = tt_min(COLUMNS, taken - from);
        column_sums(at, trained + from, taken, count, sums);
        for (int32_t c = 0; c < count; c++) {
            int32_t to = at->first + tt_channel_of(index, from + c);
            tt_grad_put(at->writer, to, at->in_c, sums + c * TT_TILE_ROWS, 1, at->rows);
        }
    }
}

int32_t tt_conv2d_bwd_input__partial_scratch(const tt_conv2d_partial_bwd_input *p) {
    return 4 * TT_TILE_ROWS * p->gradient.window.out_c;
}

void tt_conv2d_bwd_input__partial(const tt_conv2d_partial_bwd_input *p, const int16_t *index,
    const tt_grad *dy, const int8_t *w, const int8_t *trained, const uint16_t *scale, tt_grad *dx,
    int32_t *scratch, tt_part *part) {
    const tt_conv2d_bwd_input_params *gradient = &p->gradient;
    const tt_window *win = &gradient->window;
    int32_t in_c = win->in_c, out_c = win->out_c;
    tt_span span = tt_part_take(part, win->in_h * win->in_w);
    tt_grad_writer writer =
        tt_grad_resume(dx, gradient->limit, dy->exponent + gradient->exponent, part);
    const tt_mantissa *g = dy->mantissa + span.first * out_c;
    for (int32_t pixel = span.first; pixel < span.last; pixel += TT_TILE_ROWS) {
        int32_t rows = tt_min(TT_TILE_ROWS, span.last - pixel), next = 0;
        pixels at = {scratch, &writer, writer.written, rows, in_c, out_c};
        tt_scale_pixels(gradient, g, scale, rows, scratch);
        tt_grad_reserve(&writer, rows * in_c);
        trained_columns(&at, trained, p->taken, index);
        for (int32_t i = 0; i < p->taken; i++) {
            int32_t channel = tt_channel_of(index, i);
            frozen_columns(&at, w, next, channel);
            next = channel + 1;
        }
        frozen_columns(&at, w, next, in_c);
        g += rows * out_c;
    }
    tt_grad_pause(&writer, part);
}
