/* Gradient of a depthwise convolution's input: channel by channel, four inputs at a time. */
#include "tt_gradient.h"
#include "tt_plain.h"
#include "tt_slide.h"

#define OUTLINE static __attribute__((noinline)) /* smaller, and as fast */

/* Columns of the input of one parity, all of them for a stride of 1: the first one, how many, and where
 * their first window begins in a row of the plane. */
typedef struct {
    int32_t x, count;
    int32_t begin;
    tt_slide_shape shape;
} phase;

/* What a channel works on. */
typedef struct {
    const tt_conv2d_bwd_input_params *p;
    const tt_mantissa *dy; /* of the channel */
    const int8_t *w;
    tt_correlation packing;
    phase phases[2];
    int32_t *taps, *sums, *plane;
    int32_t top; /* the output's row that is the plane's first */
} channel;

/* Every stride-th tap from `first` on, of `size`: how many. */
static inline int32_t taps_from(int32_t first, int32_t size, int32_t stride) {
    return first < size ? ((size - 1 - first) >> (stride - 1)) + 1 : 0;
}

/* The taps, for each parity of rows and of columns apart, last ones first. */
OUTLINE void pack_taps(const channel *c) {
    const tt_window *win = &c->p->window;
    int32_t *to = c->taps;
    for (int32_t fy = 0; fy < win->stride_h; fy++) {
        for (int32_t fx = 0; fx < win->stride_w; fx++) {
            int32_t rows = taps_from(fy, win->kernel_h, win->stride_h);
            int32_t n = taps_from(fx, win->kernel_w, win->stride_w);
            for (int32_t v = rows - 1; v >= 0; v--) {
                for (int32_t u = n - 1; u >= 0; u--) {
                    int32_t ky = fy + v * win->stride_h, kx = fx + u * win->stride_w;
                    *to++ = c->w[(ky * win->kernel_w + kx) * win->out_c];
                }
            }
        }
    }
}

/* The output's gradient, rows first <= y < last. */
OUTLINE void pack_plane(const channel *c, int32_t first, int32_t last) {
    const tt_window *win = &c->p->window;
    int32_t headroom = c->p->headroom, one = 1 << headroom, out_c = win->out_c;
    int32_t *row = c->plane;
    for (int32_t y = first; y < last; y++, row += c->packing.columns) {
        const tt_mantissa *g = c->dy + y * win->out_w * out_c;
        int32_t *to = row + c->packing.left;
        for (int32_t *end = to + win->out_w; to < end; g += out_c) {
            *to++ = *g * one;
        }
    }
}

static void clear(int32_t *words, int32_t n) {
    for (int32_t i = 0; i < n; i++) {
        words[i] = 0;
    }
}

OUTLINE void set_phases(channel *c) {
    const tt_window *win = &c->p->window;
    int32_t stride = win->stride_w;
    for (int32_t fx = 0; fx < stride; fx++) {
        int32_t n = taps_from(fx, win->kernel_w, stride);
        int32_t x = (fx - win->pad_left) & (stride - 1);
        int32_t count = (win->in_w - x + stride - 1) >> (stride - 1);
        phase f = {x, count, c->packing.left + ((x + win->pad_left) >> (stride - 1)) + 1 - n,
            {n, 4, 0, 4 * (c->packing.columns - n), (count + 3) >> 2, 16, 0}};
        c->phases[fx] = f;
    }
}

/* A row of the input's gradient. */
OUTLINE void run_row(channel *c, int32_t y, tt_grad_writer *writer, int32_t index) {
    const tt_window *win = &c->p->window;
    int32_t stride = win->stride_h, shift = stride - 1;
    int32_t fy = (y + win->pad_top) & shift, last = ((y + win->pad_top) >> shift) + 1;
    int32_t height = taps_from(fy, win->kernel_h, stride), first = last - height;
    int32_t from = tt_max(first, 0), rows = tt_max(tt_min(last, win->out_h) - from, 0);
    const int32_t *taps = c->taps;
    if (fy > 0) {
        taps += taps_from(0, win->kernel_h, stride) * win->kernel_w;
    }
    const int32_t *plane = c->plane + (from - c->top) * c->packing.columns;
    for (int32_t fx = 0; fx < win->stride_w; fx++) {
        phase *f = &c->phases[fx];
        f->shape.rows = rows;
        if (f->count > 0) {
            tt_slide(plane + f->begin, taps + (from - first) * f->shape.n, &f->shape, c->sums);
            tt_grad_put(writer, index + f->x * win->in_c, win->in_c << (win->stride_w - 1), c->sums,
                1, f->count);
        }
        taps += height * f->shape.n;
    }
}

/* Rows y <= . < end of the input's gradient in one channel. */
OUTLINE void run_band(channel *c, int32_t y, int32_t end, tt_grad_writer *writer, int32_t index) {
    const tt_window *win = &c->p->window;
    int32_t shift = win->stride_h - 1, reach = (win->kernel_h - 1) >> shift;
    c->top = tt_max(((y + win->pad_top) >> shift) - reach, 0);
    int32_t last = tt_min(((end - 1 + win->pad_top) >> shift) + 1, win->out_h);
    pack_plane(c, c->top, last);
    for (; y < end; y++, index += win->in_w * win->in_c) {
        run_row(c, y, writer, index);
    }
}

void tt_depthwise_conv2d_bwd_input(const tt_conv2d_bwd_input_params *p, const tt_grad *dy,
    const int8_t *w, const uint16_t *scale, tt_grad *dx, int32_t *scratch, tt_part *part) {
    const tt_window *win = &p->window;
    tt_correlation packing = tt_correlation_of(win);
    if (packing.height == 0) {
        tt_depthwise_conv2d_bwd_input_plain(p, dy, w, scale, dx, scratch, part);
        return;
    }
    channel c = {.p = p, .packing = packing, .taps = scratch};
    c.sums = c.taps + win->kernel_h * win->kernel_w;
    int32_t words = packing.rows * packing.columns;
    c.plane = scratch + (tt_correlation_bytes(win) >> 2) - words;
    clear(c.plane, words);
    set_phases(&c);

    int32_t in_c = win->in_c, row = win->in_w * in_c, height = packing.height;
    int32_t bands = (int32_t)tt_divide((uint32_t)(win->in_h + height - 1), (uint32_t)height);
    tt_span span = tt_part_take(part, bands * in_c);
    tt_grad_writer writer = tt_grad_resume(dx, p->limit, dy->exponent + p->exponent, part);
    int32_t band = (int32_t)tt_divide((uint32_t)span.first, (uint32_t)in_c);
    int32_t i = span.first - band * in_c;
    for (int32_t left = span.last - span.first; left > 0; left--) {
        int32_t y = band * height, end = tt_min(y + height, win->in_h);
        writer.open = y * row;
        writer.written = end * row;
        writer.pitch = in_c;
        writer.width = i + 1;
        c.dy = dy->mantissa + i;
        c.w = w + i;
        c.phases[0].shape.scale = c.phases[1].shape.scale = scale[i];
        pack_taps(&c);
        run_band(&c, y, end, &writer, y * row + i);
        if (++i == in_c) {
            i = 0;
            band++;
        }
    }
    tt_grad_pause(&writer, part);
}
