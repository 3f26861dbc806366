/* Depthwise convolution to int8: two input channels at a time on planes of int16, tt_pair_rows.h. */
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
    int whole; /* all rows lie in the planes */
    uint32_t *taps;
    int32_t *sums;
    int16_t *planes;
    tt_pair_rows shape; /* rows: whose sums there is room for */
} layer;

static int32_t bias_of(const layer *l, int32_t o) {
    return l->bias != NULL ? l->bias[o] : 0;
}

static void clear(int16_t *planes, int32_t n) {
    uint32_t *words = (uint32_t *)(void *)planes;
    for (n >>= 1; n > 0; n--) {
        *words++ = 0;
    }
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

/* `rows` rows of the map from `top` on, perhaps outside, of one or two channels from x on. */
static void expand(const layer *l, const int8_t *x, int32_t channels, int32_t top, int32_t rows) {
    const tt_window *w = &l->p->window;
    int32_t columns = l->packing.columns, plane = l->packing.rows * columns, in_c = w->in_c;
    int32_t before = tt_max(w->pad_left, 0), skipped = before - w->pad_left;
    int32_t above = tt_max(-top, 0), n = tt_min(columns - before, w->in_w - skipped);
    if (!l->whole) { /* rows outside are where others were */
        clear(l->planes, 2 * plane);
    }
    rows = tt_min(rows, w->in_h - top) - above;
    tt_pair_map map = {x + ((top + above) * w->in_w + skipped) * in_c,
        l->planes + above * columns + before, in_c, w->in_w * in_c, 2 * columns, 2 * plane,
        -l->p->in_zero, n, rows};
    if (rows <= 0 || n <= 0) {
        return;
    }
    if (channels == 2) {
        tt_pair_planes(&map);
        return;
    }
    for (; rows > 0; rows--, map.x += map.x_row, map.to += columns) {
        for (int32_t i = 0; i < n; i++) {
            map.to[i] = (int16_t)(map.x[i * in_c] - l->p->in_zero);
        }
    }
}

/* The weights of output channel o as pairs, doubled; tt_pair_rows.h has their order. */
static void expand_taps(const layer *l, int32_t o) {
    const tt_window *w = &l->p->window;
    const int8_t *from = l->w + o;
    uint32_t *to = l->taps;
    int32_t out_c = w->out_c, pairs = w->kernel_w >> 1;
    for (int32_t ky = w->kernel_h; ky > 0; ky--, from += out_c) {
        uint32_t left = (uint32_t)*from;
        for (int32_t i = pairs - 1; i >= 0; i--) {
            uint32_t middle = (uint32_t)from[out_c];
            from += 2 * out_c;
            uint32_t right = (uint32_t)*from;
            *to = (left * 2 & 0xffffu) | middle << 17;
            to[i == 0 ? 1 : pairs + 1] = (middle * 2 & 0xffffu) | right << 17;
            left = right;
            to++;
        }
        to += pairs;
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
    int32_t bias = bias_of(l, o), taps = w->kernel_h * w->kernel_w;
    tt_pair_scale scale;
    (void)tt_pair_scale_of(l->p, taps, bias, l->multiplier[o], l->shift[o], &scale);
    tt_pair_rows shape = l->shape;
    shape.start = 2 * bias;
    expand_taps(l, o);
    for (int32_t at = first * w->out_w * w->out_c + o; first < last; first += shape.rows) {
        shape.rows = tt_min(shape.rows, last - first);
        int32_t n = shape.rows * w->out_w;
        run_rows(l, plane, &shape);
        tt_pair_outputs(l->sums, n, &scale, l->y + at, w->out_c, l->clip, at);
        plane += shape.rows * w->stride_h * l->packing.columns;
        at += n * w->out_c;
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
    tt_pair_plane k = tt_pair_plane_of(win);
    int32_t taps = tt_pair_taps(win), *sums = scratch + taps, row = 2 * k.columns;
    int32_t width = ((win->out_w + 1) >> 1) * 4 * win->stride_w, odd = win->out_w & 1;
    int32_t rows = (k.sums - odd) / win->out_w; /* one sum more lies behind the last row */
    layer l = {p, x, w, bias, multiplier, shift, y, clip, win->out_c / win->in_c, k,
        k.rows == (win->out_h - 1) * win->stride_h + win->kernel_h, (uint32_t *)scratch, sums,
        (int16_t *)(void *)(sums + k.sums),
        {row, row * win->stride_h, width, 4 * odd, 4 * taps, 0, rows}};
    if (!can_pair(&l)) {
        tt_depthwise_conv2d_s8_plain(p, x, w, bias, multiplier, shift, y, clip);
        return;
    }
    clear(l.planes, 2 * k.rows * k.columns);
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
