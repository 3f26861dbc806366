/* Convolutions trained in part, with no more than a few of their weights put together. */
#include "tt_channels.h"
#include "tt_gradient.h"
#include "tt_tile.h"

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

/* Some pixels' gradients of the outputs, and where those of the inputs go. */
typedef struct {
    const int32_t *g;
    tt_tile tile;
    tt_grad_writer *writer;
    int32_t first; /* mantissa */
    int32_t in_c;
} pixels;

/* Of n input channels from `first` on, whose weights are at w, those of an output `stride` apart. */
static void some_channels(
    const pixels *at, const int8_t *w, int32_t stride, int32_t n, int32_t first) {
    tt_tile tile = at->tile;
    tile.stride = stride;
    tile.columns = n;
    tt_gradient_tile(&tile, at->g, w, at->writer, at->first + first, at->in_c);
}

/* Frozen and trained channels in turn, as many as lie side by side. */
static void all_channels(
    const pixels *at, const int8_t *w, const int8_t *trained, int32_t taken, const int16_t *index) {
    int32_t next = 0;
    for (int32_t i = 0, n; i < taken; i += n) {
        int32_t first = tt_channel_of(index, i);
        for (n = 1; i + n < taken && tt_channel_of(index, i + n) == first + n;) {
            n++;
        }
        some_channels(at, w + next, at->in_c, first - next, next);
        some_channels(at, trained + i, taken, n, first);
        next = first + n;
    }
    some_channels(at, w + next, at->in_c, at->in_c - next, next);
}

int32_t tt_conv2d_bwd_input__partial_scratch(const tt_conv2d_partial_bwd_input *p) {
    return tt_tile_bytes(p->gradient.window.out_c);
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
    for (int32_t pixel = span.first; pixel < span.last;) {
        tt_tile tile = tt_tile_of(gradient, span.last - pixel);
        tt_scale_pixels(gradient, &tile, g, scale, scratch);
        pixels at = {scratch, tile, &writer, pixel * in_c, in_c};
        tt_grad_reserve(&writer, tile.filled * in_c);
        all_channels(&at, w, trained, p->taken, index);
        g += tile.filled * out_c;
        pixel += tile.filled;
    }
    tt_grad_pause(&writer, part);
}
