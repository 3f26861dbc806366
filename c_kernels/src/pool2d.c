/* Average and maximum over windows: forward and backward. */
#include "tt_gradient.h"
#include "tt_windows.h"

/* The part of a window that lies inside the map: rows [top, bottom), columns [left, right). */
typedef struct {
    int32_t top, bottom, left, right;
} area;

static area area_of(const tt_window *w, int32_t out_y, int32_t out_x) {
    int32_t top = tt_window_top(w, out_y), left = tt_window_left(w, out_x);
    area a = {tt_max(top, 0), tt_min(top + w->kernel_h, w->in_h), tt_max(left, 0),
        tt_min(left + w->kernel_w, w->in_w)};
    return a;
}

static uint32_t area_size(area a) {
    return (uint32_t)((a.bottom - a.top) * (a.right - a.left));
}

static int32_t area_sum(const tt_window *w, area a, const int8_t *x) {
    int32_t sum = 0;
    for (int32_t y = a.top; y < a.bottom; y++) {
        for (int32_t column = a.left; column < a.right; column++) {
            sum += x[(y * w->in_w + column) * w->in_c];
        }
    }
    return sum;
}

/* Index (in pixels) of the first largest element. */
static int32_t area_largest(const tt_window *w, area a, const int8_t *x) {
    int32_t best = a.top * w->in_w + a.left;
    for (int32_t y = a.top; y < a.bottom; y++) {
        for (int32_t column = a.left; column < a.right; column++) {
            int32_t here = y * w->in_w + column;
            best = x[here * w->in_c] > x[best * w->in_c] ? here : best;
        }
    }
    return best;
}

void tt_average_pool2d_s8(const tt_pool2d *p, const int8_t *x, int8_t *y, uint8_t *clip) {
    const tt_window *w = &p->window;
    tt_clip_writer writer = tt_clip_begin(clip);
    for (int32_t out_y = 0; out_y < w->out_h; out_y++) {
        for (int32_t out_x = 0; out_x < w->out_w; out_x++) {
            area a = area_of(w, out_y, out_x);
            uint32_t count = area_size(a);
            for (int32_t c = 0; c < w->in_c; c++) {
                int32_t sum = area_sum(w, a, x + c);
                int32_t mean = (int32_t)tt_divide((uint32_t)tt_abs(sum) + count / 2u, count);
                *y++ = tt_clamp(sum < 0 ? -mean : mean, p->low, p->high, &writer);
            }
        }
    }
}

void tt_max_pool2d_s8(const tt_pool2d *p, const int8_t *x, int8_t *y, uint8_t *clip) {
    const tt_window *w = &p->window;
    tt_clip_writer writer = tt_clip_begin(clip);
    for (int32_t out_y = 0; out_y < w->out_h; out_y++) {
        for (int32_t out_x = 0; out_x < w->out_w; out_x++) {
            area a = area_of(w, out_y, out_x);
            for (int32_t c = 0; c < w->in_c; c++) {
                int32_t largest = x[area_largest(w, a, x + c) * w->in_c + c];
                *y++ = tt_clamp(largest, p->low, p->high, &writer);
            }
        }
    }
}

/* Add to sums [channels] what the window at output pixel (row, column) sends to input pixel `pixel`. */
typedef void (*spreader)(const tt_pool2d_bwd *p, const tt_mantissa *dy, area a, const int8_t *x,
    int32_t pixel, int32_t *sums);

static void spread_average(const tt_pool2d_bwd *p, const tt_mantissa *dy, area a, const int8_t *x,
    int32_t pixel, int32_t *sums) {
    (void)x;
    (void)pixel;
    uint32_t count = area_size(a);
    int32_t reciprocal = (int32_t)tt_divide((1u << p->reciprocal_bits) + count / 2u, count);
    for (int32_t c = 0; c < p->window.in_c; c++) {
        sums[c] = TT_ASSERT_RANGE(sums[c] + (tt_wide)dy[c] * reciprocal);
    }
}

static void spread_max(const tt_pool2d_bwd *p, const tt_mantissa *dy, area a, const int8_t *x,
    int32_t pixel, int32_t *sums) {
    for (int32_t c = 0; c < p->window.in_c; c++) {
        if (area_largest(&p->window, a, x + c) == pixel) {
            sums[c] = TT_ASSERT_RANGE((tt_wide)sums[c] + dy[c]);
        }
    }
}

static void pool2d_bwd(const tt_pool2d_bwd *p, const tt_grad *dy, const int8_t *x, spreader add,
    tt_grad *dx, int32_t *sums, tt_part *part) {
    const tt_window *w = &p->window;
    tt_span span = tt_part_take(part, w->in_h);
    tt_grad_writer writer = tt_grad_resume(dx, p->limit, dy->exponent - p->reciprocal_bits, part);
    tt_cover rows = tt_cover_begin(w->pad_top + span.first, w->stride_h);
    for (int32_t y = span.first; y < span.last; y++, tt_cover_next(&rows, w->stride_h)) {
        tt_cover columns = tt_cover_begin(w->pad_left, w->stride_w);
        for (int32_t column = 0; column < w->in_w; column++, tt_cover_next(&columns, w->stride_w)) {
            for (int32_t c = 0; c < w->in_c; c++) {
                sums[c] = 0;
            }
            tt_covering c = tt_covering_begin(rows, columns);
            while (tt_covering_next(&c, w, columns)) {
                area a = area_of(w, c.out_y, c.out_x);
                add(p, dy->mantissa + c.pixel * w->in_c, a, x, y * w->in_w + column, sums);
            }
            tt_grad_push(&writer, sums, w->in_c);
        }
    }
    tt_grad_pause(&writer, part);
}

int32_t tt_average_pool2d_bwd_scratch(const tt_pool2d_bwd *p) {
    return 4 * p->window.in_c;
}

void tt_average_pool2d_bwd(
    const tt_pool2d_bwd *p, const tt_grad *dy, tt_grad *dx, int32_t *scratch, tt_part *part) {
    pool2d_bwd(p, dy, NULL, spread_average, dx, scratch, part);
}

int32_t tt_max_pool2d_bwd_scratch(const tt_pool2d_bwd *p) {
    return 4 * p->window.in_c;
}

void tt_max_pool2d_bwd(const tt_pool2d_bwd *p, const tt_grad *dy, const int8_t *x, tt_grad *dx,
    int32_t *scratch, tt_part *part) {
    pool2d_bwd(p, dy, x, spread_max, dx, scratch, part);
}
