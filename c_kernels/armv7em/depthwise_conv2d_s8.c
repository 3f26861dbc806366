/* Depthwise convolution to int8: two input channels at a time on planes of int16, tt_pair_rows.h. */
#include "tt_dsp.h"
#include "tt_pair_rows.h"
#include "tt_plain.h"

/* What a call works on. */
typedef struct {
    const tt_conv2d *p;
    const int8_t *x, *w;
    const int32_t *bias, *multiplier;
    const int8_t *shift;
    int8_t *y;
    uint8_t *clip;
    int32_t per_input;
    tt_pair_plane packing;
    uint32_t *taps;
    int32_t *sums;
    int16_t *planes;
    int whole; /* all rows lie in the planes */
} layer;

static int32_t bias_of(const layer *l, int32_t o) {
    return l->bias != NULL ? l->bias[o] : 0;
}

/* Whether all channels' outputs are what this arithmetic makes of them. */
static int can_pair(const layer *l) {
    const tt_conv2d *p = l->p;
    const tt_window *w = &p->window;
    int32_t taps = w->kernel_h * w->kernel_w;
    tt_pair_scale unused;
    int can = tt_takes_pairs(w) && taps < 512 && p->low == -128 && p->high == 127;
    for (int32_t o = 0; can && o < w->out_c; o++) {
        can = tt_pair_scale_of(p, taps, bias_of(l, o), l->multiplier[o], l->shift[o], &unused);
    }
    return can;
}

static void put(int16_t *to, uint32_t pair) {
    __builtin_memcpy(to, &pair, 4);
}

/* n pixels of two channels, less the zero point (offset: twice its negative), to two planes. */
static void expand_two(
    const int8_t *x, int32_t step, int32_t n, uint32_t offset, int16_t *to, int16_t *second) {
    for (; n > 1; n -= 2, x += 2 * step, to += 2, second += 2) {
        uint16_t left, right;
        __builtin_memcpy(&left, x, 2);
        __builtin_memcpy(&right, x + step, 2);
        uint32_t both = left | (uint32_t)right << 16;
        put(to, tt_add_even_bytes(offset, both));
        put(second, tt_add_odd_bytes(offset, both));
    }
    if (n > 0) {
        *to = (int16_t)(x[0] + (int16_t)offset);
        *second = (int16_t)(x[1] + (int16_t)offset);
    }
}

static void expand_one(const int8_t *x, int32_t step, int32_t n, int32_t zero, int16_t *to) {
    for (; n > 0; n--, x += step) {
        *to++ = (int16_t)(*x - zero);
    }
}

/* `rows` rows of the map from `top` on, perhaps outside; x: the first channel. */
static void expand(const layer *l, const int8_t *x, int32_t channels, int32_t top, int32_t rows) {
    const tt_window *w = &l->p->window;
    int32_t columns = l->packing.columns, plane = l->packing.rows * columns;
    int32_t before = tt_max(w->pad_left, 0), skipped = before - w->pad_left, in_c = w->in_c;
    int32_t n = tt_min(columns - before, w->in_w - skipped);
    uint32_t offset = (uint32_t)-l->p->in_zero & 0xffffu;
    offset |= offset << 16;
    int16_t *to = l->planes + before;
    x += (top * w->in_w + skipped) * in_c;
    for (int32_t y = top; y < top + rows; y++, to += columns, x += w->in_w * in_c) {
        if (y < 0 || y >= w->in_h) {
            for (int32_t i = 0; i < n && !l->whole; i++) {
                to[i] = to[plane + i] = 0;
            }
        } else if (channels == 2) {
            expand_two(x, in_c, n, offset, to, to + plane);
        } else {
            expand_one(x, in_c, n, l->p->in_zero, to);
        }
    }
}

/* The weights of output channel o as pairs, doubled. */
static void expand_taps(const layer *l, int32_t o) {
    const tt_window *w = &l->p->window;
    const int8_t *from = l->w + o;
    uint32_t *to = l->taps;
    int32_t kw = w->kernel_w, out_c = w->out_c;
    for (int32_t ky = w->kernel_h; ky > 0; ky--) {
        uint32_t before = (uint32_t)(2 * *from);
        uint32_t *offset = to + ((kw + 1) >> 1);
        from += out_c;
        for (int32_t kx = 1; kx < kw; kx++, from += out_c) {
            uint32_t v = (uint32_t)(2 * *from), pair = (before & 0xffffu) | v << 16;
            before = v;
            if ((kx & 1) != 0 || kx == kw - 1) {
                *to++ = pair; /* (0, 1), (2, 3), ..., and the last two */
            } else {
                *offset++ = pair;
            }
        }
        to = offset;
    }
}

static void run_rows(const layer *l, const int16_t *plane, const tt_pair_rows *shape) {
    const uint32_t *taps = l->taps;
    int32_t *sums = l->sums;
    int one = l->p->window.stride_w == 1;
    switch (l->p->window.kernel_w) {
        case 3:
            (one ? tt_pair_rows_3 : tt_pair_rows_3_stride_2)(plane, taps, shape, sums);
            break;
        case 5:
            (one ? tt_pair_rows_5 : tt_pair_rows_5_stride_2)(plane, taps, shape, sums);
            break;
        default:
            (one ? tt_pair_rows_7 : tt_pair_rows_7_stride_2)(plane, taps, shape, sums);
            break;
    }
}

/* Output rows first to last - 1 of channel o; the plane begins at the first one's windows. */
static void run_channel(
    const layer *l, int32_t o, const int16_t *plane, int32_t first, int32_t last) {
    const tt_window *w = &l->p->window;
    int32_t row = 2 * l->packing.columns, out_w = w->out_w, out_c = w->out_c;
    int32_t bias = bias_of(l, o), most = l->packing.sums, chunk = 1;
    while ((chunk + 1) * out_w <= most) {
        chunk++;
    }
    tt_pair_scale scale;
    (void)tt_pair_scale_of(
        l->p, w->kernel_h * w->kernel_w, bias, l->multiplier[o], l->shift[o], &scale);
    tt_pair_rows shape = {row, row * w->stride_h, ((out_w + 1) >> 1) * 4 * w->stride_w,
        4 * (out_w & 1), 4 * tt_pair_taps(w), 2 * bias, 0};
    expand_taps(l, o);
    for (int32_t at = first * out_w * out_c + o; first < last; first += shape.rows) {
        shape.rows = tt_min(chunk, last - first);
        int32_t n = shape.rows * out_w;
        run_rows(l, plane, &shape);
        tt_pair_outputs(l->sums, n, &scale, l->y + at, out_c, l->clip, at);
        plane += shape.rows * w->stride_h * l->packing.columns;
        at += n * out_c;
    }
}

/* All outputs of one input channel, or of two; band by band. What the band before has read of the map may
 * be overwritten by now, but not what lies in windows that are still to come. */
static void run_channels(const layer *l, int32_t i, int32_t channels) {
    const tt_window *w = &l->p->window;
    int32_t last;
    for (int32_t first = 0; first < w->out_h; first = last) {
        last = w->out_h;
        if (!l->whole) {
            last = first + 1;
            while (
                last < w->out_h && (last - first) * w->stride_h + w->kernel_h <= l->packing.rows) {
                last++;
            }
        }
        int32_t rows = (last - first - 1) * w->stride_h + w->kernel_h;
        expand(l, l->x + i, channels, tt_window_top(w, first), rows);
        for (int32_t n = 0; n < channels; n++) {
            const int16_t *plane = l->planes + n * l->packing.rows * l->packing.columns;
            for (int32_t m = 0; m < l->per_input; m++) {
                run_channel(l, (i + n) * l->per_input + m, plane, first, last);
            }
        }
    }
}

void tt_depthwise_conv2d_s8(const tt_conv2d *p, const int8_t *x, const int8_t *w,
    const int32_t *bias, const int32_t *multiplier, const int8_t *shift, int8_t *y, uint8_t *clip,
    int32_t *scratch) {
    const tt_window *win = &p->window;
    layer l = {p, x, w, bias, multiplier, shift, y, clip, win->out_c / win->in_c,
        tt_pair_plane_of(win), (uint32_t *)scratch, NULL, NULL, 0};
    if (!can_pair(&l)) {
        tt_depthwise_conv2d_s8_plain(p, x, w, bias, multiplier, shift, y, clip);
        return;
    }
    l.sums = scratch + tt_pair_taps(win);
    l.planes = (int16_t *)(void *)(l.sums + l.packing.sums);
    l.whole = l.packing.rows == (win->out_h - 1) * win->stride_h + win->kernel_h;
    uint32_t *words = (uint32_t *)(void *)l.planes;
    for (int32_t n = l.packing.rows * l.packing.columns; n > 0; n--) {
        *words++ = 0;
    }
    if (clip != NULL) {
        int32_t bytes = (win->out_h * win->out_w * win->out_c + 7) >> 3;
        for (int32_t i = 0; i < bytes; i++) {
            clip[i] = 0;
        }
    }
    for (int32_t i = 0; i < win->in_c; i += 2) {
        run_channels(&l, i, tt_min(2, win->in_c - i));
    }
}
