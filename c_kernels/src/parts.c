/* Forward kernels in parts: the same kernel on a smaller window. */
#include "tinytrain_parts.h"

#include "tt_part.h"

static int32_t quotient(int32_t n, int32_t d) {
    return (int32_t)tt_divide((uint32_t)n, (uint32_t)d);
}

/* How many times so many elements fill whole bytes of clip bits. */
static int32_t to_fill_bytes(int32_t elements, const uint8_t *clip) {
    int32_t times = 1;
    while (clip != NULL && ((times * elements) & 7) != 0) {
        times *= 2;
    }
    return times;
}

/* Make a window that of a part: rows, or columns of one row. Returns its first pixel. */
static int32_t take_pixels(tt_part *part, tt_window *w, const uint8_t *clip) {
    int32_t out_w = w->out_w;
    int32_t rows = to_fill_bytes(out_w * w->out_c, clip); /* of a piece */
    int32_t columns = rows > 1 ? out_w : to_fill_bytes(w->out_c, clip);
    int32_t in_row = quotient(out_w, columns); /* pieces */
    int32_t total = quotient(w->out_h + rows - 1, rows) * in_row;
    int32_t n = tt_min(part->units, total - part->at);
    int32_t row = quotient(part->at, in_row), piece = part->at - row * in_row;
    int32_t whole = piece > 0 ? 0 : quotient(n, in_row);
    if (whole > 0) {
        n = whole * in_row;
        w->out_h = (int16_t)tt_min(whole * rows, w->out_h - row * rows);
    } else {
        n = tt_min(n, in_row - piece);
        w->out_h = 1;
        w->out_w = (int16_t)(n * columns);
    }
    w->pad_top = (int16_t)(w->pad_top - row * rows * w->stride_h);
    w->pad_left = (int16_t)(w->pad_left - piece * columns * w->stride_w);
    part->at = part->at + n == total ? 0 : part->at + n;
    return row * rows * out_w + piece * columns;
}

static uint8_t *clip_at(uint8_t *clip, int32_t element) {
    return clip != NULL ? clip + (element >> 3) : NULL;
}

/* Where a part of a convolution's outputs begins. */
typedef struct {
    int32_t element; /* of y */
    int32_t channel;
} first_output;

static first_output take_outputs(tt_part *part, tt_window *w, const uint8_t *clip) {
    first_output first = {0, 0};
    if (w->out_h * w->out_w > 1) {
        first.element = take_pixels(part, w, clip) * w->out_c;
        return first;
    }
    tt_span span = tt_part_take(part, (w->out_c + 7) >> 3);
    first.element = first.channel = span.first * 8;
    w->out_c = (int16_t)(tt_min(span.last * 8, w->out_c) - first.channel);
    return first;
}

void tt_part_conv2d_s8(tt_part *part, const tt_conv2d *p, const int8_t *x, const int8_t *w,
    const int32_t *bias, const int32_t *multiplier, const int8_t *shift, int8_t *y, uint8_t *clip,
    int32_t *scratch) {
    tt_conv2d some = *p;
    first_output first = take_outputs(part, &some.window, clip);
    int32_t o = first.channel, taps = p->window.kernel_h * p->window.kernel_w * p->window.in_c;
    tt_conv2d_s8(&some, x, w + o * taps, bias != NULL ? bias + o : NULL, multiplier + o, shift + o,
        y + first.element, clip_at(clip, first.element), scratch);
}

void tt_part_conv2d_s32(tt_part *part, const tt_conv2d *p, const int8_t *x, const int8_t *w,
    const int32_t *bias, int32_t *y) {
    tt_conv2d some = *p;
    first_output first = take_outputs(part, &some.window, NULL);
    int32_t o = first.channel, taps = p->window.kernel_h * p->window.kernel_w * p->window.in_c;
    tt_conv2d_s32(&some, x, w + o * taps, bias != NULL ? bias + o : NULL, y + first.element);
}

void tt_part_depthwise_conv2d_s8(tt_part *part, const tt_conv2d *p, const int8_t *x,
    const int8_t *w, const int32_t *bias, const int32_t *multiplier, const int8_t *shift, int8_t *y,
    uint8_t *clip, int32_t *scratch) {
    tt_conv2d some = *p;
    int32_t first = take_pixels(part, &some.window, clip) * p->window.out_c;
    tt_depthwise_conv2d_s8(
        &some, x, w, bias, multiplier, shift, y + first, clip_at(clip, first), scratch);
}

void tt_part_average_pool2d_s8(
    tt_part *part, const tt_pool2d *p, const int8_t *x, int8_t *y, uint8_t *clip) {
    tt_pool2d some = *p;
    int32_t first = take_pixels(part, &some.window, clip) * p->window.out_c;
    tt_average_pool2d_s8(&some, x, y + first, clip_at(clip, first));
}

void tt_part_max_pool2d_s8(
    tt_part *part, const tt_pool2d *p, const int8_t *x, int8_t *y, uint8_t *clip) {
    tt_pool2d some = *p;
    int32_t first = take_pixels(part, &some.window, clip) * p->window.out_c;
    tt_max_pool2d_s8(&some, x, y + first, clip_at(clip, first));
}

/* Take elements, 8 at a time; returns the first. */
static int32_t take_elements(tt_part *part, int32_t *size) {
    tt_span span = tt_part_take(part, (*size + 7) >> 3);
    *size = tt_min(span.last * 8, *size) - span.first * 8;
    return span.first * 8;
}

void tt_part_add_s8(
    tt_part *part, const tt_add *p, const int8_t *a, const int8_t *b, int8_t *y, uint8_t *clip) {
    tt_add some = *p;
    int32_t first = take_elements(part, &some.size);
    tt_add_s8(&some, a + first, b + first, y + first, clip_at(clip, first));
}

void tt_part_requantize_s8(
    tt_part *part, const tt_requantize *p, const int8_t *x, int8_t *y, uint8_t *clip) {
    tt_requantize some = *p;
    int32_t first = take_elements(part, &some.size);
    tt_requantize_s8(&some, x + first, y + first, clip_at(clip, first));
}
