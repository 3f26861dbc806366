/* Convolution to int8, two pixels and four channels at a time: tt_pair_tile.h. */
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
    int32_t taps = l->taps, whole = taps >> 2, rest = taps & 3;
    const int8_t *w = l->w + o * taps;
    uint32_t *to = group->weights + 8 * whole;
    if (whole > 0) {
        tt_pair_weights(w, taps, whole, group->weights);
    }
    if (rest > 0) { /* zeros behind them */
        int8_t last[4][4];
        for (int32_t c = 0; c < 4; c++) {
            for (int32_t i = 0; i < 4; i++) {
                last[c][i] = i < rest ? w[c * taps + 4 * whole + i] : 0;
            }
        }
        tt_pair_weights(last[0], 4, 1, to);
        to += 8;
    }
    tt_pair_scale *scales = (tt_pair_scale *)(void *)to;
    for (int32_t c = 0; c < 4; c++, o++) {
        int32_t bias = bias_of(l, o);
        group->starts[c] = bias * 2;
        (void)tt_pair_scale_of(l->p, taps, bias, l->multiplier[o], l->shift[o], scales + c);
    }
    return (tt_pair_group *)(void *)(scales + 4);
}

static void copy_4(int8_t *to, const int8_t *from) {
    __builtin_memcpy(to, from, 4);
}

static void copy(int8_t *to, const int8_t *from, int32_t n) {
    int32_t last = n - 4; /* the last word may overlap the one before */
    if (last < 0) {
        for (; n > 0; n--) {
            *to++ = *from++;
        }
        return;
    }
    for (int32_t i = 0; i < last; i += 4) {
        copy_4(to + i, from + i);
    }
    copy_4(to + last, from + last);
}

/* The window of a pixel as int8 [depth], the zero point where it is outside the map. What lies behind the
 * window meets weights of 0. */
static void copy_window(const layer *l, int32_t out_y, int32_t out_x, int8_t *column) {
    const tt_window *win = &l->p->window;
    int32_t in_c = win->in_c, row = win->kernel_w * in_c;
    int32_t top = tt_window_top(win, out_y), left = tt_window_left(win, out_x);
    tt_patch patch = {win->kernel_h, win->kernel_w, top * win->in_w + left, 0};
    if (top < 0 || left < 0 || top + patch.rows > win->in_h || left + patch.columns > win->in_w) {
        patch = tt_patch_of(win, out_y, out_x);
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

/* A pixel's window, and the one of its right neighbour if there are `both`, as the job's inputs: where they
 * lie if they are whole words in the map, else copied. */
static void place_windows(
    const layer *l, tt_pair_job *job, int32_t out_y, int32_t out_x, int32_t both) {
    const tt_window *w = &l->p->window;
    int32_t top = tt_window_top(w, out_y), left = tt_window_left(w, out_x);
    int32_t row = w->kernel_w * w->in_c, last = left + (both ? w->stride_w : 0);
    if ((row & 3) == 0 && top >= 0 && top + w->kernel_h <= w->in_h && left >= 0 &&
        last + w->kernel_w <= w->in_w) {
        job->rows = w->kernel_h;
        job->words = row >> 2;
        return;
    }
    job->rows = 1;
    job->words = l->packing.depth >> 2;
    job->first = job->second = l->columns;
    copy_window(l, out_y, out_x, l->columns);
    if (both) {
        job->second += l->packing.depth;
        copy_window(l, out_y, out_x + 1, l->columns + l->packing.depth);
    }
}

/* All pixels for the channels that `job` describes but for its pixels. */
static void run_pixels(const layer *l, tt_pair_job *job) {
    const tt_window *w = &l->p->window;
    int32_t out_c = w->out_c, step = w->stride_w * w->in_c;
    for (int32_t y = 0; y < l->rows; y++) {
        int32_t first = tt_window_top(w, y) * w->in_w - w->pad_left;
        const int8_t *x = l->x + first * w->in_c;
        for (int32_t left = l->pixels; left > 0; left -= 2) {
            int32_t both = left > 1;
            job->first = x;
            job->second = x + (both ? step : 0);
            job->y_step = both ? out_c : 0;
            if (l->packing.column) {
                place_windows(l, job, y, l->pixels - left, both);
            }
            tt_pair_tiles(job);
            x += 2 * step;
            job->y += out_c + job->y_step;
        }
    }
}

static int in_map(const tt_window *w) {
    return w->pad_top <= 0 && w->pad_left <= 0 && tt_window_top(w, w->out_h - 1) < w->in_h &&
           tt_window_left(w, w->out_w - 1) < w->in_w;
}

static void run(layer *l, int8_t *y, uint8_t *clip, int32_t *scratch) {
    const tt_window *w = &l->p->window;
    int32_t out_c = w->out_c, depth = l->packing.depth;
    uint32_t offset = (uint32_t)-l->p->in_zero & 0xffffu;
    tt_pair_job job = {NULL, NULL, depth >> 2, offset | offset << 16, 1,
        (w->in_w - w->kernel_w) * w->in_c, (tt_pair_group *)(void *)scratch, NULL, NULL, 0, 0, clip,
        y};
    job.inputs = (uint32_t *)scratch + l->packing.groups * (tt_pair_group_bytes(depth) >> 2);
    l->columns = (int8_t *)(job.inputs + depth);
    for (int32_t o = 0; o < out_c; o += job.outputs) {
        tt_pair_group *group = (tt_pair_group *)(void *)scratch;
        o = tt_min(o, out_c - 4); /* the last four channels may overlap those before */
        job.outputs = 0;
        for (int32_t n = l->packing.groups; n > 0 && o + job.outputs + 4 <= out_c; n--) {
            group = expand_group(l, o + job.outputs, group);
            job.outputs += 4;
        }
        job.y = y + o;
        run_pixels(l, &job);
    }
}

void tt_conv2d_s8(const tt_conv2d *p, const int8_t *x, const int8_t *w, const int32_t *bias,
    const int32_t *multiplier, const int8_t *shift, int8_t *y, uint8_t *clip, int32_t *scratch) {
    const tt_window *win = &p->window;
    if (tt_fully_connected(win)) {
        tt_fully_connected_s8(p, x, w, bias, multiplier, shift, y, clip, scratch);
        return;
    }
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
