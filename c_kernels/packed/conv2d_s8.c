/* Convolution to int8 on packed weights. */
#include "tt_plain.h"
#include "tt_swar.h"

static void run(tt_swar_job *job, int32_t pairs) {
    if (pairs == 3) {
        tt_swar_tile_3(job);
    } else if (pairs == 2) {
        tt_swar_tile_2(job);
    } else {
        tt_swar_tile_1(job);
    }
}

/* What a call works on. */
typedef struct {
    const tt_conv2d *p;
    const int8_t *x, *w;
    const int32_t *bias, *multiplier;
    const int8_t *shift;
    int8_t *y;
    uint8_t *clip;
    tt_packing packing;
} layer;

static tt_swar_group *group_at(int32_t *scratch, const tt_packing *k, int32_t n) {
    return (tt_swar_group *)(void *)(scratch + n * (TT_GROUP_WORDS + k->pairs * k->depth));
}

static int32_t pairs_from(const layer *l, int32_t channel) {
    return tt_min(l->packing.pairs, (l->p->window.out_c - channel) >> 1);
}

static tt_swar_job job_of(const layer *l, int32_t channel, tt_swar_group *group) {
    int32_t out_c = l->p->window.out_c;
    tt_swar_job job = {l->x, 0, l->y + channel, out_c, 1, l->packing.depth, group, l->clip, channel,
        out_c, l->p, l->multiplier + channel, l->shift + channel};
    return job;
}

/* Groups of channels from `first` on, as many as are packed at a time; returns the next channel. */
static int32_t pack_groups(const layer *l, int32_t first, int32_t *scratch) {
    int32_t taps = l->p->window.kernel_h * l->p->window.kernel_w * l->p->window.in_c;
    int32_t o = first;
    for (int32_t n = 0; n < l->packing.groups && o + 1 < l->p->window.out_c; n++) {
        tt_swar_group *group = group_at(scratch, &l->packing, n);
        int32_t pairs = pairs_from(l, o);
        const int32_t *bias = l->bias != NULL ? l->bias + o : NULL;
        tt_swar_pack(group, l->p, pairs, l->packing.depth, l->w + o * taps, taps, bias);
        tt_swar_scales(group, l->p, l->multiplier + o, l->shift + o, bias, taps, 2 * pairs);
        o += 2 * pairs;
    }
    return o;
}

/* 1x1 kernels inside the map: pixels in place, one row after the other. */
static void run_rows(const layer *l, int32_t *scratch) {
    const tt_window *win = &l->p->window;
    int32_t even = win->out_c & ~1, step = win->stride_w * win->in_c;
    int32_t rows = win->out_h, pixels = win->out_w, row = win->stride_h * win->in_w * win->in_c;
    if (row == pixels * step) {
        pixels *= rows;
        rows = 1;
    }
    const int8_t *x = l->x - (win->pad_top * win->in_w + win->pad_left) * win->in_c;
    for (int32_t o = 0, next; o < even; o = next) {
        next = pack_groups(l, o, scratch);
        tt_swar_job job = job_of(l, o, group_at(scratch, &l->packing, 0));
        for (int32_t y = 0; y < rows; y++) {
            job.x = x + y * row;
            job.x_step = step;
            job.pixels = pixels;
            run(&job, pairs_from(l, o));
        }
    }
}

/* depth bytes of one value */
static void fill(int8_t *to, int8_t value, int32_t depth) {
    int32_t first = tt_min(16, depth);
    for (int32_t i = 0; i < first; i++) {
        to[i] = value;
    }
    if (depth > first) { /* goes on with what it wrote before */
        tt_copy_rows(to + first, 0, to, 0, depth - first, 1);
    }
}

/* A window that lies partly outside the map; the zero point there. */
static void copy_part(const layer *l, tt_patch patch, int8_t *to) {
    const tt_window *win = &l->p->window;
    int32_t in_c = win->in_c, row = win->kernel_w * in_c;
    fill(to, (int8_t)l->p->in_zero, l->packing.depth);
    if (patch.rows > 0 && patch.columns > 0) {
        tt_copy_rows(to + patch.tap * in_c, row, l->x + patch.pixel * in_c, win->in_w * in_c,
            patch.columns * in_c, patch.rows);
    }
}

/* The windows of n pixels from (out_y, out_x) on as int8 [depth]; what lies behind one meets weights of
 * 0. */
static void copy_windows(const layer *l, int32_t out_y, int32_t out_x, int32_t n, int8_t *to) {
    const tt_window *win = &l->p->window;
    int32_t in_c = win->in_c, row = win->kernel_w * in_c, in_row = win->in_w * in_c;
    int32_t top = tt_window_top(win, out_y), left = tt_window_left(win, out_x);
    int32_t farthest = win->in_w - win->kernel_w;
    if (top < 0 || top + win->kernel_h > win->in_h) {
        farthest = -1; /* none is inside */
    }
    for (int32_t step = win->stride_w; n > 0; n--, left += step, to += l->packing.depth) {
        if (left >= 0 && left <= farthest) {
            const int8_t *from = l->x + top * in_row + left * in_c;
            tt_copy_rows(to, row, from, in_row, row, win->kernel_h);
        } else {
            copy_part(l, tt_patch_of(win, out_y, out_x), to);
        }
        out_x++;
    }
}

/* The groups that are packed, from channel o on, for n windows from pixel `pixel` on. */
static void run_windows(const layer *l, int32_t *scratch, const int8_t *windows, int32_t o,
    int32_t next, int32_t pixel, int32_t n) {
    int32_t out_c = l->p->window.out_c, depth = l->packing.depth;
    for (int32_t group = 0; o < next; group++) {
        tt_swar_job job = job_of(l, o, group_at(scratch, &l->packing, group));
        int32_t pairs = pairs_from(l, o);
        job.x = windows;
        job.x_step = depth;
        job.pixels = n;
        job.y += pixel * out_c;
        job.clip_at += pixel * out_c;
        run(&job, pairs);
        o += 2 * pairs;
    }
}

/* Any kernel: windows are copied. */
static void run_columns(const layer *l, int32_t *scratch) {
    const tt_window *win = &l->p->window;
    int32_t even = win->out_c & ~1, most = l->packing.windows;
    int8_t *windows = (int8_t *)group_at(scratch, &l->packing, l->packing.groups);
    for (int32_t o = 0, next; o < even; o = next) {
        next = pack_groups(l, o, scratch);
        for (int32_t y = 0; y < win->out_h; y++) {
            for (int32_t x = 0, n; x < win->out_w; x += n) {
                n = tt_min(most, win->out_w - x);
                copy_windows(l, y, x, n, windows);
                run_windows(l, scratch, windows, o, next, y * win->out_w + x, n);
            }
        }
    }
}

/* The last one of an odd number of channels. */
static void run_last(const layer *l) {
    const tt_window *win = &l->p->window;
    int32_t o = win->out_c - 1;
    const int8_t *w = l->w + o * win->kernel_h * win->kernel_w * win->in_c;
    tt_swar_job job = job_of(l, o, NULL);
    int32_t i = o;
    for (int32_t y = 0; y < win->out_h; y++) {
        for (int32_t x = 0; x < win->out_w; x++, i += win->out_c) {
            int32_t sum = tt_conv2d_patch_sum(l->p, tt_patch_of(win, y, x), l->x, w);
            int32_t v =
                tt_swar_exact(&job, 0, l->bias != NULL ? tt_wrap_add(sum, l->bias[o]) : sum);
            l->y[i] = (int8_t)v;
            if (l->clip != NULL && v < 256) {
                l->clip[i >> 3] = (uint8_t)(l->clip[i >> 3] | 1u << (i & 7));
            }
        }
    }
}

static int in_map(const tt_window *w) {
    return w->pad_top <= 0 && w->pad_left <= 0 && tt_window_top(w, w->out_h - 1) < w->in_h &&
           tt_window_left(w, w->out_w - 1) < w->in_w;
}

void tt_conv2d_s8(const tt_conv2d *p, const int8_t *x, const int8_t *w, const int32_t *bias,
    const int32_t *multiplier, const int8_t *shift, int8_t *y, uint8_t *clip, int32_t *scratch) {
    const tt_window *win = &p->window;
    if (tt_fully_connected(win)) {
        tt_fully_connected_s8(p, x, w, bias, multiplier, shift, y, clip, scratch);
        return;
    }
    layer l = {p, x, w, bias, multiplier, shift, y, clip, tt_packing_of(win)};
    int rows = l.packing.windows == 0 && in_map(win) && ((uintptr_t)x & 3u) == 0u;
    if (l.packing.pairs == 0 || win->out_c < 2 || (!rows && l.packing.windows == 0)) {
        tt_conv2d_s8_plain(p, x, w, bias, multiplier, shift, y, clip);
        return;
    }
    if (clip != NULL) {
        int32_t bytes = (win->out_h * win->out_w * win->out_c + 7) >> 3;
        for (int32_t i = 0; i < bytes; i++) {
            clip[i] = 0;
        }
    }
    if (rows) {
        run_rows(&l, scratch);
    } else {
        run_columns(&l, scratch);
    }
    if (win->out_c & 1) {
        run_last(&l);
    }
}
