/* Gradient of a depthwise convolution's input: channel by channel, four inputs at a time, of which each takes
 * two taps in one multiplication. */
#include "tt_mantissas.h"
#include "tt_pair_rows.h"
#include "tt_plain.h"
#include "tt_slide_pairs.h"
#include "tt_square_rows.h"

#define OUTLINE static __attribute__((noinline)) /* smaller, and as fast */

/* Columns of the input of one parity, all of them for a stride of 1: how many, the index of the first one, and
 * where its window begins in a row of the plane; how many taps of a row of the kernel they meet, and how
 * their sums are made. */
typedef struct {
    int32_t count, first, begin, n;
    tt_slide_pairs_of slide;
} phase;

/* What such columns of a row of the input meet: the same in all channels. */
typedef struct {
    const int16_t *plane;
    const uint32_t *taps, *end;
} meeting;

/* What a channel works on. */
typedef struct {
    const tt_conv2d_bwd_input_params *p;
    const tt_mantissa *dy; /* of the channel */
    const int8_t *w;
    int32_t scale; /* times 2^15: the high word of its product with four times a sum */
    tt_correlation packing;
    phase phases[2];
    uint32_t *taps; /* [fy][fx][row][pair]{for even, for odd inputs} */
    int32_t *sums;  /* of a row */
    int16_t *plane;
    meeting *meetings;   /* [row of the band][fx] */
    int32_t pitch;       /* of the plane */
    int32_t top, bottom; /* rows of the output that lie there */
    int32_t step;        /* of mantissas, from one input of a phase to the next */
    int32_t square;      /* whether the kernel is 3x3, strides are 1 */
    int32_t takes_rows;  /* whether then tt_square_rows takes rows that meet all taps */
    tt_square_rows_of whole;
    tt_grad_writer writer;
} channel;

/* Every stride-th tap from `first` on, of `size`: how many. */
static inline int32_t taps_from(int32_t first, int32_t size, int32_t stride) {
    return first < size ? ((size - 1 - first) >> (stride - 1)) + 1 : 0;
}

/* n taps of a row, `step` apart, as pairs of four times the tap. */
TT_INLINE uint32_t *pack_row(const int8_t *w, int32_t step, int32_t n, uint32_t *to) {
    uint32_t before = 0;
    for (; n > 1; n -= 2, w += 2 * step, to += 2) {
        uint32_t first = (uint32_t)(w[0] * 4), second = (uint32_t)(w[step] * 4);
        to[0] = tt_join_low(first, second);
        to[1] = tt_join_low(before, first);
        before = second;
    }
    uint32_t last = n > 0 ? (uint32_t)(*w * 4) : 0;
    to[0] = tt_join_low(last, 0);
    to[1] = tt_join_low(before, last);
    return to + 2;
}

/* The taps, for each parity of rows and of columns apart, last ones first. */
OUTLINE void pack_taps(const channel *c) {
    const tt_window *win = &c->p->window;
    int32_t step = win->out_c * win->stride_w;
    uint32_t *to = c->taps;
    for (int32_t fy = 0; fy < win->stride_h; fy++) {
        for (int32_t fx = 0; fx < win->stride_w; fx++) {
            const phase *f = &c->phases[fx];
            int32_t v = taps_from(fy, win->kernel_h, win->stride_h);
            int32_t last = fx + (f->n - 1) * win->stride_w;
            while (--v >= 0) {
                int32_t ky = fy + v * win->stride_h;
                const int8_t *w = c->w + (ky * win->kernel_w + last) * win->out_c;
                to = pack_row(w, -step, f->n, to);
            }
        }
    }
}

/* What tt_square_rows needs of a channel: the same pairs, but not those with 0. */
TT_INLINE void pack_square(channel *c) {
    for (int32_t y = 0; y < 3; y++) {
        c->whole.taps[2 * y] = c->taps[4 * y];
        c->whole.taps[2 * y + 1] = c->taps[4 * y + 3];
    }
    c->whole.scale = c->scale;
}

/* The output's gradient, rows first <= y < last. |dy| * one < 2^15. */
OUTLINE void pack_plane(const channel *c, int32_t first, int32_t last) {
    const tt_window *win = &c->p->window;
    int32_t one = 1 << c->p->headroom, out_c = win->out_c;
    int16_t *row = c->plane + c->packing.left;
    const tt_mantissa *g = c->dy + first * win->out_w * out_c;
    for (int32_t y = first; y < last; y++, row += c->pitch) {
        int16_t *to = row;
        int32_t n = win->out_w;
        for (; n > 1; n -= 2, g += 2 * out_c, to += 2) {
            uint32_t pair = tt_join_low((uint32_t)(g[0] * one), (uint32_t)(g[out_c] * one));
            __builtin_memcpy(to, &pair, sizeof pair);
        }
        if (n > 0) {
            *to = (int16_t)(*g * one);
            g += out_c;
        }
    }
}

static void clear(int16_t *halves, int32_t n) {
    for (int32_t i = 0; i < n; i++) {
        halves[i] = 0;
    }
}

OUTLINE void set_phases(channel *c) {
    const tt_window *win = &c->p->window;
    int32_t stride = win->stride_w, shift = stride - 1;
    for (int32_t fx = 0; fx < stride; fx++) {
        int32_t n = taps_from(fx, win->kernel_w, stride), x = (fx - win->pad_left) & shift;
        int32_t count = (win->in_w - x + shift) >> shift;
        int32_t begin = c->packing.left + ((x + win->pad_left) >> shift) + 1 - n;
        phase f = {count, x * win->in_c, begin, n,
            {.pitch = 2 * c->pitch,
                .sums = c->sums,
                .groups = (count + 3) >> 2,
                .pairs = tt_correlation_pairs(n)}};
        c->phases[fx] = f;
    }
}

/* The sums of a row become mantissas index, index + step, ...; returns what tt_grad_noted gathers. */
TT_INLINE int32_t store_row(const channel *c, int32_t count, int32_t index, int32_t step) {
    int32_t largest = 0, scale = c->scale, shift = c->writer.shift;
    tt_mantissa *m = c->writer.grad->mantissa + index;
    const int32_t *sums = c->sums;
    for (const int32_t *end = sums + count; sums < end; m += step, index += step) {
        *m = tt_grad_noted(tt_multiply_high(*sums++, scale), index, shift, &largest);
    }
    return largest;
}

/* What rows y <= . < end of the input meet. */
OUTLINE void set_band(channel *c, int32_t y, int32_t end) {
    const tt_window *win = &c->p->window;
    int32_t stride = win->stride_h, shift = stride - 1, reach = (win->kernel_h - 1) >> shift;
    int32_t pad = win->pad_top, out_h = win->out_h;
    int32_t pairs = c->phases[0].slide.pairs + c->phases[1].slide.pairs;
    meeting *m = c->meetings;
    c->top = tt_max(((y + pad) >> shift) - reach, 0);
    c->bottom = tt_min(((end - 1 + pad) >> shift) + 1, out_h);
    for (; y < end; y++) {
        int32_t fy = (y + pad) & shift, last = ((y + pad) >> shift) + 1;
        int32_t height = taps_from(fy, win->kernel_h, stride), first = last - height;
        int32_t from = tt_max(first, 0), rows = tt_max(tt_min(last, out_h) - from, 0);
        const int16_t *plane = c->plane + (from - c->top) * c->pitch;
        const uint32_t *taps = c->taps;
        if (fy > 0) {
            taps += 2 * pairs * taps_from(0, win->kernel_h, stride);
        }
        for (const phase *f = c->phases; f < c->phases + win->stride_w; f++, m++) {
            m->plane = plane + f->begin;
            m->taps = taps + 2 * f->slide.pairs * (from - first);
            m->end = m->taps + 2 * f->slide.pairs * rows;
            taps += 2 * f->slide.pairs * height;
        }
    }
}

/* Columns of one parity in a row of the input's gradient. */
TT_INLINE void run_phase(channel *c, phase *f, const meeting *m, int32_t index) {
    if (c->square && m->end == m->taps + 12) {
        tt_pair_rows one = {2 * c->pitch, 0, 2 * ((f->count + 1) & ~1), 0, 0, 0, 1};
        tt_pair_rows_3(m->plane, c->whole.taps, &one, c->sums);
    } else {
        f->slide.plane = m->plane;
        f->slide.coefficients = m->taps;
        f->slide.end = m->end;
        tt_slide_pairs(&f->slide);
    }
    index += f->first;
    for (;;) {
        int32_t largest = store_row(c, f->count, index, c->step);
        if (tt_grad_fits(c->writer.limit, largest, c->writer.shift)) {
            return;
        }
        tt_grad_put(&c->writer, index, 1, &largest, 1, 1); /* the shift grows */
    }
}

/* Of `rows` rows those that meet all of the kernel and fit, up to one that does not; returns how many. */
TT_INLINE int32_t run_square(channel *c, const meeting *m, int32_t rows, int32_t index) {
    int32_t n = 0;
    while (n < rows && m[n].end == m[n].taps + 12) {
        n++;
    }
    if (n == 0) {
        return 0;
    }
    c->whole.rows = n;
    c->whole.plane = m->plane;
    c->whole.mantissa = c->writer.grad->mantissa + index;
    c->whole.shift = c->writer.shift;
    return n - tt_square_rows(&c->whole);
}

/* The band's `rows` rows of the input's gradient in one channel. */
OUTLINE void run_band(channel *c, int32_t rows, int32_t index) {
    const tt_window *win = &c->p->window;
    int32_t row = win->in_w * win->in_c;
    const meeting *m = c->meetings;
    phase *end = c->phases + win->stride_w;
    pack_plane(c, c->top, c->bottom);
    for (; rows > 0; rows--, index += row) {
        if (c->takes_rows) {
            int32_t done = run_square(c, m, rows, index);
            rows -= done;
            index += done * row;
            m += done;
            if (rows == 0) {
                return;
            }
        }
        for (phase *f = c->phases; f < end; f++, m++) {
            if (f->count > 0) {
                run_phase(c, f, m, index);
            }
        }
    }
}

void tt_depthwise_conv2d_bwd_input(const tt_conv2d_bwd_input_params *p, const tt_grad *dy,
    const int8_t *w, const uint16_t *scale, tt_grad *dx, int32_t *scratch, tt_part *part) {
    const tt_window *win = &p->window;
    channel c = {.p = p, .packing = tt_correlation_of(win), .taps = (uint32_t *)scratch};
    int32_t height = c.packing.height;
    if (height == 0 || win->kernel_h * win->kernel_w > 128) { /* else 4 * |sum| < 2^31 */
        tt_depthwise_conv2d_bwd_input_plain(p, dy, w, scale, dx, scratch, part);
        return;
    }
    c.pitch = tt_correlation_pitch(c.packing);
    c.packing.left += win->pad_left & (2 - win->stride_w); /* the first window at an even column */
    int32_t halves = c.packing.rows * c.pitch;
    c.meetings = (meeting *)(c.taps + tt_correlation_taps(win));
    c.sums = (int32_t *)(c.meetings + height * win->stride_w);
    int32_t columns = (win->in_w + win->stride_w - 1) >> (win->stride_w - 1);
    c.plane = (int16_t *)(c.sums + ((columns + 3) & ~3));
    clear(c.plane, halves);
    c.step = win->in_c * win->stride_w;
    set_phases(&c);
    c.square = win->kernel_h == 3 && win->kernel_w == 3 && win->stride_h * win->stride_w == 1;
    c.takes_rows =
        c.square && TT_GRADIENT_BITS == 16 && p->limit == TT_MANTISSA_MAX && (win->in_w & 1) == 0;
    c.whole.step = 2 * c.step;
    c.whole.pitch = 2 * c.pitch;
    c.whole.width = 2 * win->in_w;

    int32_t in_c = win->in_c, row = win->in_w * in_c;
    int32_t bands = (int32_t)tt_divide((uint32_t)(win->in_h + height - 1), (uint32_t)height);
    tt_span span = tt_part_take(part, bands * in_c);
    c.writer = tt_grad_resume(dx, p->limit, dy->exponent + p->exponent, part);
    int32_t band = (int32_t)tt_divide((uint32_t)span.first, (uint32_t)in_c);
    int32_t i = span.first - band * in_c;
    for (int32_t left = span.last - span.first; left > 0; left--) {
        int32_t y = band * height, end = tt_min(y + height, win->in_h);
        c.writer.open = y * row;
        c.writer.written = end * row;
        c.writer.pitch = in_c;
        c.writer.width = i + 1;
        if (i == 0 || left == span.last - span.first) {
            set_band(&c, y, end);
        }
        c.dy = dy->mantissa + i;
        c.w = w + i;
        c.scale = scale[i] << 15;
        pack_taps(&c);
        if (c.square) {
            pack_square(&c);
        }
        run_band(&c, end - y, y * row + i);
        if (++i == in_c) {
            i = 0;
            band++;
        }
    }
    tt_grad_pause(&c.writer, part);
}
