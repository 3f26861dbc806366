/* Gradient of a depthwise convolution's input: channel by channel, four inputs at a time. */
#include "tt_plain.h"
#include "tt_slide.h"

#define OUTLINE static __attribute__((noinline)) /* smaller, and as fast */

/* Inputs of one parity of row and of column, if the strides are 2. */
typedef struct {
    tt_slide_input job;
    int32_t *taps;
    int32_t last;  /* of its taps, in the weights of a channel */
    int32_t begin; /* in the input's gradient of a channel */
} phase;

/* What a band's channels have in common. */
typedef struct {
    const tt_conv2d_bwd_input_params *p;
    tt_correlation packing;
    int32_t *taps, *plane;
    tt_gather gather; /* rows of the output's gradient */
    int32_t top;      /* the first one */
    phase phases[4];
    int32_t count;
} band;

/* Every stride-th tap from `first` on, of `size`: how many. */
static inline int32_t taps_from(int32_t first, int32_t size, int32_t stride) {
    return first < size ? ((size - 1 - first) >> (stride - 1)) + 1 : 0;
}

/* Phase (fy, fx) of rows y <= . < end; returns what follows its taps. */
OUTLINE int32_t *add_phase(band *b, tt_grad_writer *writer, int32_t y, int32_t end, int32_t fy,
    int32_t fx, int32_t *taps) {
    const tt_window *w = &b->p->window;
    int32_t y_shift = w->stride_h - 1, x_shift = w->stride_w - 1;
    int32_t tap_rows = taps_from(fy, w->kernel_h, w->stride_h);
    int32_t n = taps_from(fx, w->kernel_w, w->stride_w);
    int32_t x = (fx - w->pad_left) & x_shift, columns = (w->in_w - x + x_shift) >> x_shift;
    y += (fy - w->pad_top - y) & y_shift;
    int32_t rows = (end - y + y_shift) >> y_shift;
    if (rows > 0 && columns > 0) {
        tt_slide_input job = {b->plane + b->packing.left + ((x + w->pad_left) >> x_shift) + 1 - n,
            4 * b->packing.columns, b->gather.rows, taps, tap_rows, n,
            ((y + w->pad_top) >> y_shift) + 1 - tap_rows - b->top, rows, columns, 0, writer, 0,
            w->in_c << x_shift, (w->in_w * w->in_c) << y_shift};
        int32_t ky = fy + (tap_rows - 1) * w->stride_h, kx = fx + (n - 1) * w->stride_w;
        phase f = {job, taps, (ky * w->kernel_w + kx) * w->out_c, (y * w->in_w + x) * w->in_c};
        b->phases[b->count++] = f;
    }
    return taps + tap_rows * n;
}

/* Rows y <= . < end of the input's gradient. */
OUTLINE void begin_band(band *b, tt_grad_writer *writer, int32_t y, int32_t end) {
    const tt_window *w = &b->p->window;
    int32_t shift = w->stride_h - 1, reach = (w->kernel_h - 1) >> shift;
    int32_t size = (int32_t)sizeof(tt_mantissa), row = w->out_w * w->out_c;
    b->top = tt_max(((y + w->pad_top) >> shift) - reach, 0);
    tt_gather gather = {b->p->headroom, size * w->out_c, size * row, w->out_w,
        tt_min(((end - 1 + w->pad_top) >> shift) + 1, w->out_h) - b->top, 0, 0,
        4 * (b->packing.columns - w->out_w)};
    b->gather = gather;
    b->count = 0;
    int32_t *taps = b->taps;
    for (int32_t fy = 0; fy < w->stride_h; fy++) {
        for (int32_t fx = 0; fx < w->stride_w; fx++) {
            taps = add_phase(b, writer, y, end, fy, fx, taps);
        }
    }
    writer->open = y * w->in_w * w->in_c;
    writer->written = end * w->in_w * w->in_c;
}

/* Taps, last ones first: rows of n, `up` and `left` bytes before each other. */
OUTLINE void pack_taps(
    int32_t *to, const int8_t *last, int32_t rows, int32_t up, int32_t n, int32_t left) {
    for (; rows > 0; rows--, last -= up) {
        const int8_t *tap = last;
        for (int32_t *end = to + n; to < end; tap -= left) {
            *to++ = *tap;
        }
    }
}

/* A channel; w, dy and dx (counted in mantissas) begin with it. */
static void run_channel(
    band *b, const int8_t *w, int32_t scale, const tt_mantissa *dy, int32_t dx) {
    const tt_window *win = &b->p->window;
    int32_t out_c = win->out_c;
    if (b->gather.rows > 0) {
        dy += b->top * win->out_w * out_c;
        tt_gather_gradient(&b->gather, dy, b->plane + b->packing.left);
    }
    for (phase *f = b->phases; f < b->phases + b->count; f++) {
        pack_taps(f->taps, w + f->last, f->job.tap_rows, win->stride_h * win->kernel_w * out_c,
            f->job.n, win->stride_w * out_c);
        f->job.scale = scale;
        f->job.index = f->begin + dx;
        tt_slide_input_rows(&f->job);
    }
}

static void clear(int32_t *words, int32_t n) {
    for (int32_t i = 0; i < n; i++) {
        words[i] = 0;
    }
}

void tt_slide_put(const tt_slide_input *job, tt_mantissa *to, const int32_t *sums) {
    int32_t scaled[4];
    for (int32_t i = 0; i < 4; i++) {
        scaled[i] = tt_mul_shift15(sums[i], (uint32_t)job->scale);
    }
    int32_t index = (int32_t)(to - job->writer->grad->mantissa);
    tt_grad_put(job->writer, index, job->index_step, scaled, 1, tt_min(job->columns, 4));
}

void tt_depthwise_conv2d_bwd_input(const tt_conv2d_bwd_input_params *p, const tt_grad *dy,
    const int8_t *w, const uint16_t *scale, tt_grad *dx, int32_t *scratch, tt_part *part) {
    const tt_window *win = &p->window;
    band b = {.p = p, .packing = tt_correlation_of(win), .taps = scratch};
    if (b.packing.height == 0 || taps_from(0, win->kernel_w, win->stride_w) > TT_MOST_TAPS) {
        tt_depthwise_conv2d_bwd_input_plain(p, dy, w, scale, dx, scratch, part);
        return;
    }
    int32_t words = b.packing.rows * b.packing.columns;
    b.plane = scratch + (tt_correlation_bytes(win) >> 2) - words;
    clear(b.plane, words);

    int32_t in_c = win->in_c, height = b.packing.height;
    int32_t bands = (int32_t)tt_divide((uint32_t)(win->in_h + height - 1), (uint32_t)height);
    tt_span span = tt_part_take(part, bands * in_c);
    tt_grad_writer writer = tt_grad_resume(dx, p->limit, dy->exponent + p->exponent, part);
    writer.pitch = in_c;
    int32_t done = (int32_t)tt_divide((uint32_t)span.first, (uint32_t)in_c); /* bands */
    int32_t y = done * height, i = span.first - done * in_c;
    for (int32_t left = span.last - span.first; left > 0; i = 0, y += height) {
        begin_band(&b, &writer, y, tt_min(y + height, win->in_h));
        for (; i < in_c && left > 0; i++, left--) {
            writer.width = i + 1;
            run_channel(&b, w + i, scale[i], dy->mantissa + i, i);
        }
    }
    tt_grad_pause(&writer, part);
}
