/* Convolution to int8, two pixels and four channels at a time: tt_pair_tile.h. */
#include "tt_dsp.h"
#include "tt_pair_tile.h"
#include "tt_plain.h"

/* What a call works on. */
typedef struct {
    const tt_conv2d *p;
    const int8_t *x, *w;
    const int32_t *bias, *multiplier;
    const int8_t *shift;
    int32_t taps;
    tt_pair_packing packing;
    int32_t rows, pixels; /* of the output */
    int8_t *columns;      /* [2][depth] */
} layer;

static int32_t bias_of(const layer *l, int32_t o) {
    return l->bias != NULL ? l->bias[o] : 0;
}

/* Whether all channels' outputs are what the tiles make of them. */
static int can_pair(const layer *l) {
    const tt_conv2d *p = l->p;
    tt_pair_scale unused;
    int can = l->packing.groups > 0 && p->low == -128 && p->high == 127;
    for (int32_t o = 0; can && o < p->window.out_c; o++) {
        can = tt_pair_scale_of(p, l->taps, bias_of(l, o), l->multiplier[o], l->shift[o], &unused);
    }
    return can;
}

/* The group of channels o to o + 3; returns where the next one may lie. */
static tt_pair_group *expand_group(const layer *l, int32_t o, tt_pair_group *group) {
    int32_t taps = l->taps;
    uint32_t *to = group->weights;
    const int8_t *w = l->w + o * taps;
    for (int32_t k = 0; k < l->packing.depth; k += 4, to += 8, w += 4) {
        const int8_t *row = w;
        for (int32_t c = 0; c < 4; c++, row += taps) {
            uint32_t v = 0;
            if (k + 4 <= taps) {
                v = tt_load_4(row);
            } else {
                for (int32_t i = taps - k; i > 0; i--) {
                    v = v << 8 | (uint8_t)row[i - 1];
                }
            }
            uint32_t even = tt_even_bytes(v), odd = tt_odd_bytes(v);
            to[c] = tt_add_pairs(even, even);
            to[4 + c] = tt_add_pairs(odd, odd);
        }
    }
    tt_pair_scale *scales = (tt_pair_scale *)(void *)to;
    for (int32_t c = 0; c < 4; c++, o++) {
        int32_t bias = bias_of(l, o);
        group->starts[c] = bias * 2;
        (void)tt_pair_scale_of(l->p, taps, bias, l->multiplier[o], l->shift[o], scales + c);
    }
    return (tt_pair_group *)(void *)(scales + 4);
}

static void copy(int8_t *to, const int8_t *from, int32_t n) {
    for (; n >= 4; n -= 4, from += 4, to += 4) {
        __builtin_memcpy(to, from, 4);
    }
    for (; n > 0; n--) {
        *to++ = *from++;
    }
}

/* The window of a pixel as int8 [depth], the zero point where it is outside the map. What lies behind the
 * window meets weights of 0. */
static void copy_window(const layer *l, int32_t out_y, int32_t out_x, int8_t *column) {
    const tt_window *win = &l->p->window;
    int32_t in_c = win->in_c, row = win->kernel_w * in_c;
    tt_patch patch = tt_patch_of(win, out_y, out_x);
    if (patch.rows < win->kernel_h || patch.columns < win->kernel_w) {
        for (int32_t i = 0; i < l->taps; i++) {
            column[i] = (int8_t)l->p->in_zero;
        }
    }
    const int8_t *x = l->x + patch.pixel * in_c;
    column += patch.tap * in_c;
    for (int32_t rows = patch.rows; rows > 0; rows--) {
        copy(column, x, patch.columns * in_c);
        x += win->in_w * in_c;
        column += row;
    }
}

/* Where the inputs of a pixel lie: in the map, or in a column of their own. */
static const int8_t *inputs_of(const layer *l, int32_t out_y, int32_t out_x, int32_t second) {
    const tt_window *w = &l->p->window;
    if (!l->packing.column) {
        int32_t pixel = tt_window_top(w, out_y) * w->in_w + tt_window_left(w, out_x);
        return l->x + pixel * w->in_c;
    }
    int8_t *column = l->columns + second * l->packing.depth;
    copy_window(l, out_y, out_x, column);
    return column;
}

/* All pixels for the channels that `job` describes but for its pixels. */
static void run_pixels(const layer *l, tt_pair_job *job, uint32_t *inputs) {
    int32_t words = l->packing.depth >> 2, out_c = l->p->window.out_c;
    uint32_t offset = (uint32_t)-l->p->in_zero & 0xffffu;
    offset |= offset << 16;
    job->inputs = inputs;
    job->inputs_end = inputs + 4 * words;
    for (int32_t y = 0; y < l->rows; y++) {
        for (int32_t x = 0; x < l->pixels; x += 2) {
            tt_pair_job pair = *job;
            int32_t pixels = tt_min(2, l->pixels - x);
            const int8_t *first = inputs_of(l, y, x, 0), *second = first;
            if (pixels == 2) {
                second = inputs_of(l, y, x + 1, 1);
                pair.y_step = out_c;
            }
            tt_pair_inputs(first, second, words, offset, inputs);
            tt_pair_tiles(&pair);
            job->y += pixels * out_c;
            job->y_end += pixels * out_c;
            job->clip_at += pixels * out_c;
        }
    }
}

static int in_map(const tt_window *w) {
    return w->pad_top <= 0 && w->pad_left <= 0 && tt_window_top(w, w->out_h - 1) < w->in_h &&
           tt_window_left(w, w->out_w - 1) < w->in_w;
}

static void run(layer *l, int8_t *y, uint8_t *clip, int32_t *scratch) {
    int32_t out_c = l->p->window.out_c, depth = l->packing.depth;
    tt_pair_group *first = (tt_pair_group *)(void *)scratch;
    int32_t groups = l->packing.groups * (tt_pair_group_bytes(depth) >> 2);
    uint32_t *inputs = (uint32_t *)scratch + groups;
    l->columns = (int8_t *)(inputs + depth);
    for (int32_t o = 0; o < out_c;) {
        tt_pair_group *group = first;
        /* the last four channels may overlap those before */
        int32_t from = tt_min(o, out_c - 4);
        for (int32_t n = 0; n < l->packing.groups && from + 4 * n + 4 <= out_c; n++) {
            group = expand_group(l, from + 4 * n, group);
            o = from + 4 * n + 4;
        }
        tt_pair_job job = {first, NULL, NULL, y + from, y + o, 0, clip, from};
        run_pixels(l, &job, inputs);
    }
}

void tt_conv2d_s8(const tt_conv2d *p, const int8_t *x, const int8_t *w, const int32_t *bias,
    const int32_t *multiplier, const int8_t *shift, int8_t *y, uint8_t *clip, int32_t *scratch) {
    const tt_window *win = &p->window;
    layer l = {p, x, w, bias, multiplier, shift, win->kernel_h * win->kernel_w * win->in_c,
        tt_pair_packing_of(win), win->out_h, win->out_w, NULL};
    if (!can_pair(&l) || (!l.packing.column && !in_map(win))) {
        tt_conv2d_s8_plain(p, x, w, bias, multiplier, shift, y, clip);
        return;
    }
    if (clip != NULL) {
        int32_t bytes = (win->out_h * win->out_w * win->out_c + 7) >> 3;
        for (int32_t i = 0; i < bytes; i++) {
            clip[i] = 0;
        }
    }
    if (!l.packing.column && win->stride_h * win->in_w == win->out_w * win->stride_w) {
        l.pixels *= l.rows; /* rows follow each other */
        l.rows = 1;
    }
    run(&l, y, clip, scratch);
}
