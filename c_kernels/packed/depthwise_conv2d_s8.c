/* Depthwise convolution to int8: channel by channel on a packed plane. */
#include "tt_plain.h"
#include "tt_plane_row.h"
#include "tt_swar.h"

/* What a channel works on. */
typedef struct {
    const tt_conv2d *p;
    const int8_t *x; /* the input channel */
    uint32_t *plane;
    int32_t *taps, *sums;
    tt_plane packing;
    int8_t zero; /* of the input */
} channel;

/* Row `y` of the map (perhaps outside) as words: x[j] and, in the high half, x[j + stride]. */
static void pack_row(const channel *c, int32_t y, uint32_t *to) {
    const tt_window *w = &c->p->window;
    int32_t columns = c->packing.columns, left = w->pad_left, in_c = w->in_c, zero = c->zero;
    uint32_t border = ((uint32_t)zero << 16) + (uint32_t)zero;
    if (y < 0 || y >= w->in_h) {
        for (int32_t j = 0; j < columns; j++) {
            to[j] = border;
        }
        return;
    }
    const int8_t *x = c->x + (y * w->in_w - left) * in_c; /* of column 0, perhaps outside */
    if (w->stride_w > 1) {
        for (int32_t j = 0; j < columns; j++) {
            int32_t at = j - left, next = at + w->stride_w;
            int32_t low = at >= 0 && at < w->in_w ? x[j * in_c] : zero;
            int32_t high = next >= 0 && next < w->in_w ? x[(j + w->stride_w) * in_c] : zero;
            to[j] = ((uint32_t)high << 16) + (uint32_t)low;
        }
        return;
    }
    int32_t first = tt_max(left, 0), last = tt_min(columns + 1, w->in_w + left), j = 0;
    uint32_t before = (uint32_t)zero;
    for (; j + 1 < first && j < columns; j++) {
        to[j] = border;
    }
    /* word j - 1 is complete once x[j] is known */
    x += j * in_c;
    if (j < first) {
        x += in_c;
        j++;
    } else if (j < last) {
        before = (uint32_t)*x;
        x += in_c;
        j++;
    }
    for (uint32_t *word = to + j - 1; j < last; j++, x += in_c) {
        uint32_t value = (uint32_t)*x;
        *word++ = (value << 16) + before;
        before = value;
    }
    for (; j <= columns; j++) {
        to[j - 1] = ((uint32_t)zero << 16) + before;
        before = (uint32_t)zero;
    }
}

/* The taps as words; returns their sum. */
static int32_t pack_taps(const channel *c, const int8_t *w) {
    const tt_window *win = &c->p->window;
    int32_t sum = 0, n = win->kernel_h * win->kernel_w;
    for (int32_t t = 0; t < n; t++, w += win->out_c) {
        c->taps[t] = *w;
        sum += *w;
    }
    return sum;
}

static void run_row(const channel *c, const uint32_t *plane, const tt_plane_shape *shape) {
    switch (c->p->window.kernel_w) {
        case 3:
            tt_plane_row_3(plane, c->taps, shape, c->sums);
            break;
        case 5:
            tt_plane_row_5(plane, c->taps, shape, c->sums);
            break;
        default:
            tt_plane_row_7(plane, c->taps, shape, c->sums);
            break;
    }
}

static void keep(const tt_swar_job *job, int32_t bit) {
    job->clip[bit >> 3] = (uint8_t)(job->clip[bit >> 3] | 1u << (bit & 7));
}

/* Clip bits of outputs that were clamped to int8 at most: at its ends only the sum can tell. */
static void note_kept(const tt_swar_job *job, const int32_t *sums, int32_t n, const int8_t *y,
    int32_t step, int32_t bit) {
    for (int32_t i = 0; i < n; i++, y += step, bit += step) {
        if ((*y != -128 && *y != 127) || tt_swar_exact(job, 0, sums[i]) < 256) {
            keep(job, bit);
        }
    }
}

/* A row's sums to outputs. */
static void write_row(
    const channel *c, const tt_swar_job *job, const tt_swar_scale *scale, int8_t *y, int32_t bit) {
    int32_t left = c->p->window.out_w, step = c->p->window.out_c;
    const int32_t *sums = c->sums;
    int masked = job->clip != NULL;
    for (;;) {
        int32_t done = tt_swar_outputs(sums, left, scale, y, step);
        if (masked) {
            note_kept(job, sums, done, y, step, bit);
        }
        left -= done;
        if (left == 0) {
            return;
        }
        sums += done;
        y += done * step;
        bit += done * step;
        int32_t v = tt_swar_exact(job, 0, *sums++);
        if (masked && v < 256) {
            keep(job, bit);
        }
        *y = (int8_t)v;
        if (--left == 0) {
            return;
        }
        y += step;
        bit += step;
    }
}

/* All outputs of a channel; band by band, rows of a band in the plane. */
static void run_channel(
    channel *c, const tt_swar_job *job, const int8_t *w, int32_t bias, int32_t o) {
    const tt_window *win = &c->p->window;
    tt_swar_group group;
    tt_swar_scales(&group, c->p, job->multiplier, job->shift, 1);
    int32_t columns = c->packing.columns;
    tt_plane_shape shape = {4 * columns, 8 * win->stride_w, (win->out_w + 1) >> 1, win->kernel_h,
        tt_wrap_add(bias, -c->p->in_zero * pack_taps(c, w))};
    int32_t packed = 0, top = 0; /* rows of the plane that are valid; the map's row of the first */
    for (int32_t y = 0; y < win->out_h; y++) {
        int32_t first = tt_window_top(win, y);
        if (y == 0 || first + win->kernel_h > top + c->packing.rows) {
            /* what the band before has read of the map may be overwritten by now, but not what lies
             * in windows that are still to come */
            top = first;
            packed = 0;
        }
        for (; packed < first + win->kernel_h - top; packed++) {
            pack_row(c, top + packed, c->plane + packed * columns);
        }
        run_row(c, c->plane + (first - top) * columns, &shape);
        write_row(c, job, &group.scales[0], job->y + y * win->out_w * win->out_c,
            y * win->out_w * win->out_c + o);
    }
}

void tt_depthwise_conv2d_s8(const tt_conv2d *p, const int8_t *x, const int8_t *w,
    const int32_t *bias, const int32_t *multiplier, const int8_t *shift, int8_t *y, uint8_t *clip,
    int32_t *scratch) {
    const tt_window *win = &p->window;
    int32_t taps = win->kernel_h * win->kernel_w, kw = win->kernel_w;
    if ((kw != 3 && kw != 5 && kw != 7) || tt_swar_too_small(w, taps * win->out_c)) {
        tt_depthwise_conv2d_s8_plain(p, x, w, bias, multiplier, shift, y, clip);
        return;
    }
    channel c = {p, x, NULL, scratch, NULL, tt_plane_of(win), (int8_t)p->in_zero};
    c.sums = c.taps + taps;
    c.plane = (uint32_t *)(void *)(c.sums + ((win->out_w + 1) & ~1));
    if (clip != NULL) {
        int32_t bytes = (win->out_h * win->out_w * win->out_c + 7) >> 3;
        for (int32_t i = 0; i < bytes; i++) {
            clip[i] = 0;
        }
    }
    int32_t per_input = (int32_t)tt_divide((uint32_t)win->out_c, (uint32_t)win->in_c);
    for (int32_t o = 0, i = 0; i < win->in_c; i++, c.x++) {
        for (int32_t m = 0; m < per_input; m++, o++) {
            tt_swar_job job = {
                NULL, 0, y + o, win->out_c, 0, 0, NULL, clip, 0, 0, p, multiplier + o, shift + o};
            run_channel(&c, &job, w + o, bias != NULL ? bias[o] : 0, o);
        }
    }
}
