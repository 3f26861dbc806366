/* Depthwise convolution to int8: channel by channel on a packed plane. */
#include "tt_plain.h"
#include "tt_plane.h"
#include "tt_swar.h"

#define OUTLINE static __attribute__((noinline)) /* its loop has all registers */

/* What all channels have in common. */
typedef struct {
    const tt_window *window;
    tt_plane packing;
    tt_plane_rows rows;
    int32_t first_word, first_column; /* of a row that are written, and read */
    int32_t height;                   /* of a band: so many rows of outputs at a time */
    uint32_t *plane;
    /* of the band: the input that is read first, counted from the channel's first one, how many rows of the
     * map are packed, and to where */
    int32_t at, n;
    uint32_t *to;
} layer;

/* The result lies in an interval. With n = -shift, real = sum * m / 2^(31 + n); m = M * 2^16 + l,
 * |l| <= 2^15. If n is above 6, sum = a * 2^pre + r with pre = n - 6, else a = sum. In units of
 * 2^-(15 + min(n, 6)), real differs from a * M by
 *     r * M / 2^pre + sum * l / 2^(16 + pre),  the first in [0, M), the second at most |l| / M / 2^16
 * of real. |real| <= 256 unless the output is saturated, so that is |l| / 2^(7 - min(n, 6)) units.
 * The reference rounds twice: its result is floor(real + 1/2 + 2^-(n + 1)) for sums above zero and
 * floor(real + 1/2 - 2^-(n + 1)) for those below. If below zero all is -128, as behind a ReLU, and
 * nobody asks what was clamped, only the first counts; it makes 0 of real > -1/2 - 2^-(n + 1), too.
 * One unit on each side keeps ties out. |a * M| <= 2^30 and |out_zero| * 2^21 <= 2^28: nothing leaves
 * 32 bits. If a does not fit int16, |real| >= 256, which every clamp to int8 saturates. The interval is
 * no longer than 1. With n = 0 the reference's sum with the zero point may wrap. */
static tt_plane_scale scale_of(
    const tt_conv2d *p, int32_t multiplier, int32_t shift, int positive) {
    tt_plane_scale scale = {21, 31, 0, 0, 1 << 21}; /* nothing is known */
    if (shift < 0 && multiplier >= (1 << 30) && p->low == -128 && p->high == 127) {
        int32_t bits = tt_min(-shift, 6), pre = -shift - bits;
        int32_t rounded = (multiplier >> 16) + ((multiplier >> 15) & 1);
        int32_t error = (tt_abs((int16_t)multiplier) >> (7 - bits)) + 2;
        int32_t twice = pre < 14 ? 1 << (14 - pre) : 1;
        int32_t below = positive ? error - twice : error + twice;
        scale.shift = 15 + bits;
        scale.pre = pre;
        scale.multiplier = rounded;
        scale.low = p->out_zero * (1 << scale.shift) + (1 << (scale.shift - 1)) - below;
        scale.width = below + error + twice + (pre > 0 ? rounded : 0);
    }
    return scale;
}

int32_t tt_plane_exact(const tt_plane_band *band, int32_t sum) {
    const tt_conv2d *p = band->p;
    int32_t v = tt_wrap_add(tt_requantize_s32(sum, band->multiplier, band->shift), p->out_zero);
    int32_t y = tt_min(tt_max(v, p->low), p->high);
    return (y & 255) | (y == v ? 0 : 256);
}

/* Whether the map can be packed: where each row has inputs enough to begin with. */
static int plan(layer *l, const tt_conv2d *p, uint32_t *plane) {
    const tt_window *w = l->window = &p->window;
    l->packing = tt_plane_of(w);
    l->plane = plane;
    int32_t stride = w->stride_w, left = w->pad_left, words = l->packing.columns;
    /* inputs first <= . < last of a row, where column 0 is the first window's */
    int32_t first = tt_max(left, 0), last = tt_min(left + w->in_w, words + stride);
    if (stride > 2 || w->out_w < 2 || last - first < stride) {
        return 0;
    }
    l->first_column = first - left;
    l->first_word = tt_max(first - stride, 0);
    tt_plane_rows rows = {stride, l->first_word + stride - first, last - stride - l->first_word,
        tt_min(last, words) - (last - stride), p->in_zero, w->in_c, w->in_w * w->in_c, 4 * words,
        l->first_word};
    l->rows = rows;
    for (l->height = 1; l->height * w->stride_h + w->kernel_h <= l->packing.rows; l->height++) {}
    return 1;
}

/* Rows of the plane with zero points alone. */
static void fill(const layer *l, int32_t first, int32_t last) {
    uint32_t border = tt_plane_border(l->rows.zero);
    uint32_t *end = l->plane + last * l->packing.columns;
    for (uint32_t *word = l->plane + first * l->packing.columns; word < end;) {
        *word++ = border;
    }
}

/* The band of outputs from row y on; returns how many rows of them. */
static int32_t begin_band(layer *l, int32_t y) {
    const tt_window *w = l->window;
    int32_t rows = tt_min(l->height, w->out_h - y), top = tt_window_top(w, y);
    int32_t n = (rows - 1) * w->stride_h + w->kernel_h; /* of the map, perhaps outside */
    int32_t first = tt_min(tt_max(-top, 0), n), last = tt_max(tt_min(w->in_h - top, n), first);
    if (l->height < w->out_h) { /* else what lies outside is never written */
        fill(l, 0, first);
        fill(l, last, n);
    }
    l->at = ((top + first) * w->in_w + l->first_column) * w->in_c;
    l->n = last - first;
    l->to = l->plane + first * l->packing.columns + l->first_word;
    return rows;
}

/* n taps, `step` bytes apart, as words; returns their sum. */
OUTLINE int32_t pack_taps(const int8_t *w, int32_t step, int32_t n, int32_t *taps) {
    int32_t sum = 0;
    for (; n > 0; n--, w += step) {
        int32_t tap = *w;
        *taps++ = tap;
        sum += tap;
    }
    return sum;
}

/* All outputs of a channel, band by band: what a band has read of the map may be overwritten by its
 * outputs, but not what lies in windows that are still to come. */
static void run_channel(layer *l, tt_plane_band *band, const int8_t *x) {
    const tt_window *w = l->window;
    for (int32_t y = 0; y < w->out_h; y += l->height) {
        if (l->height < w->out_h) {
            band->rows = begin_band(l, y);
        }
        if (l->n > 0) {
            tt_plane_pack(&l->rows, x + l->at, l->n, l->to);
        }
        tt_plane_band_outputs(band);
        band->y += band->rows * w->out_w * w->out_c;
    }
}

/* All bits of the mask, none behind them. */
static void set_bits(uint8_t *clip, int32_t n) {
    for (; n >= 8; n -= 8) {
        *clip++ = 255u;
    }
    if (n > 0) {
        *clip = (uint8_t)((1u << n) - 1u);
    }
}

void tt_depthwise_conv2d_s8(const tt_conv2d *p, const int8_t *x, const int8_t *w,
    const int32_t *bias, const int32_t *multiplier, const int8_t *shift, int8_t *y, uint8_t *clip,
    int32_t *scratch) {
    const tt_window *win = &p->window;
    int32_t taps = win->kernel_h * win->kernel_w, kw = win->kernel_w, columns;
    layer l;
    if ((kw != 3 && kw != 5 && kw != 7) || win->kernel_h > TT_MOST_TAP_ROWS ||
        !plan(&l, p, (uint32_t *)(void *)(scratch + taps)) ||
        tt_swar_too_small(w, taps * win->out_c)) {
        tt_depthwise_conv2d_s8_plain(p, x, w, bias, multiplier, shift, y, clip);
        return;
    }
    if (clip != NULL) {
        set_bits(clip, win->out_h * win->out_w * win->out_c);
    }
    fill(&l, 0, l.packing.rows);
    int32_t rows = begin_band(&l, 0);
    columns = l.packing.columns;
    tt_plane_band band = {.plane = l.plane,
        .taps = scratch,
        .kernel_h = win->kernel_h,
        .kernel_w = kw,
        .row_step = 4 * columns,
        .window_step = 4 * columns * win->stride_h,
        .stride = win->stride_w,
        .rows = rows,
        .columns = win->out_w,
        .y_step = win->out_c,
        .clip = clip,
        .map = y,
        .p = p};
    int positive = p->out_zero == -128 && clip == NULL;
    int32_t per_input = (int32_t)tt_divide((uint32_t)win->out_c, (uint32_t)win->in_c);
    for (int32_t o = 0, i = 0; i < win->in_c; i++, x++) {
        for (int32_t m = 0; m < per_input; m++, o++) {
            int32_t sum = pack_taps(w + o, win->out_c, taps, scratch);
            band.start = tt_wrap_add(bias != NULL ? bias[o] : 0, -p->in_zero * sum);
            band.multiplier = multiplier[o];
            band.shift = shift[o];
            band.scale = scale_of(p, multiplier[o], shift[o], positive);
            band.y = y + o;
            run_channel(&l, &band, x);
        }
    }
}
