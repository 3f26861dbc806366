/* Gradient of a depthwise convolution's input: channel by channel, four inputs at a time. */
#include "tt_plain.h"
#include "tt_slide.h"

#define OUTLINE static __attribute__((noinline)) /* smaller, and as fast */

#define MOST_PHASES 4

/* What a band's channels have in common. Inputs of either parity of row and column are computed apart if
 * the strides are 2. */
typedef struct {
    const tt_conv2d_bwd_input_params *p;
    tt_correlation packing;
    int32_t *taps, *plane;
    int32_t top, bottom; /* rows of the output's gradient that lie in the plane */
    tt_slide_input phases[MOST_PHASES];
    int32_t offsets[MOST_PHASES]; /* in the input's gradient */
    int32_t count;                /* of the phases */
} band;

/* Every stride-th tap from `first` on, of `size`: how many. */
static inline int32_t taps_from(int32_t first, int32_t size, int32_t stride) {
    return first < size ? ((size - 1 - first) >> (stride - 1)) + 1 : 0;
}

/* Phase (fy, fx) of rows y <= . < end; its first tap. */
OUTLINE const int32_t *add_phase(band *b, tt_grad_writer *writer, int32_t y, int32_t end,
    int32_t fy, int32_t fx, const int32_t *taps) {
    const tt_window *w = &b->p->window;
    int32_t y_shift = w->stride_h - 1, x_shift = w->stride_w - 1;
    int32_t tap_rows = taps_from(fy, w->kernel_h, w->stride_h);
    int32_t n = taps_from(fx, w->kernel_w, w->stride_w), pitch = b->packing.columns;
    int32_t first_y = y + ((fy - w->pad_top - y) & y_shift), x = (fx - w->pad_left) & x_shift;
    int32_t rows = (end - first_y + y_shift) >> y_shift,
            columns = (w->in_w - x + x_shift) >> x_shift;
    if (rows > 0 && columns > 0) {
        tt_slide_input phase = {b->plane + b->packing.left + ((x + w->pad_left) >> x_shift) + 1 - n,
            4 * pitch, b->bottom - b->top, taps, tap_rows, n,
            ((first_y + w->pad_top) >> y_shift) + 1 - tap_rows - b->top, rows, columns, 0, writer,
            0, w->in_c << x_shift, (w->in_w * w->in_c) << y_shift};
        b->offsets[b->count] = (first_y * w->in_w + x) * w->in_c;
        b->phases[b->count++] = phase;
    }
    return taps + tap_rows * n;
}

/* Rows y <= . < end of the input's gradient. */
OUTLINE void begin_band(band *b, tt_grad_writer *writer, int32_t y, int32_t end) {
    const tt_window *w = &b->p->window;
    int32_t shift = w->stride_h - 1, reach = (w->kernel_h - 1) >> shift;
    b->top = tt_max(((y + w->pad_top) >> shift) - reach, 0);
    b->bottom = tt_min(((end - 1 + w->pad_top) >> shift) + 1, w->out_h);
    b->count = 0;
    const int32_t *taps = b->taps;
    for (int32_t fy = 0; fy < w->stride_h; fy++) {
        for (int32_t fx = 0; fx < w->stride_w; fx++) {
            taps = add_phase(b, writer, y, end, fy, fx, taps);
        }
    }
    writer->open = y * w->in_w * w->in_c;
    writer->written = end * w->in_w * w->in_c;
}

/* The taps, for each parity of rows and of columns apart, last ones first. */
OUTLINE void pack_taps(const band *b, const int8_t *w) {
    const tt_window *win = &b->p->window;
    int32_t out_c = win->out_c, down = win->stride_h * win->kernel_w * out_c;
    int32_t step = win->stride_w * out_c, *to = b->taps;
    for (int32_t fy = 0; fy < win->stride_h; fy++) {
        int32_t rows = taps_from(fy, win->kernel_h, win->stride_h);
        for (int32_t fx = 0; fx < win->stride_w; fx++) {
            int32_t n = taps_from(fx, win->kernel_w, win->stride_w);
            const int8_t *row = w + (fy * win->kernel_w + fx) * out_c + rows * down + n * step;
            for (int32_t v = rows; v > 0; v--) {
                row -= down;
                const int8_t *tap = row;
                for (int32_t u = n; u > 0; u--) {
                    tap -= step;
                    *to++ = *tap;
                }
            }
        }
    }
}

/* The output's gradient in one channel. */
OUTLINE void pack_plane(const band *b, const tt_mantissa *dy) {
    const tt_window *w = &b->p->window;
    int32_t size = (int32_t)sizeof(tt_mantissa), row = w->out_w * w->out_c;
    tt_gather g = {b->p->headroom, size * w->out_c, size * row, w->out_w, b->bottom - b->top, 0, 0,
        4 * (b->packing.columns - w->out_w)};
    if (g.rows > 0) {
        tt_gather_gradient(&g, dy + b->top * row, b->plane + b->packing.left);
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
            pack_taps(&b, w + i);
            pack_plane(&b, dy->mantissa + i);
            for (int32_t k = 0; k < b.count; k++) {
                b.phases[k].scale = scale[i];
                b.phases[k].index = b.offsets[k] + i;
                tt_slide_input_rows(&b.phases[k]);
            }
        }
    }
    tt_grad_pause(&writer, part);
}
