/* Outputs of a depthwise convolution, from rows of int16, where there are 31 registers. */
#define TT_ELEMENT int16_t
#include "tt_window_sums.h"
#include "tt_plane.h"

#define AT_ONCE 64 /* sums on the stack */

/* Some rows of outputs that follow each other: whole rows, or a part of one. */
typedef struct {
    const int16_t *x; /* the first one's window */
    int32_t rows, columns;
    int32_t up; /* sums are taken 2^up times */
    int8_t *y;
} piece;

/* 3x3: the taps stay in registers. */
TT_OUTLINE void squares(const tt_plane_band *band, const piece *p, int32_t *sums) {
    const uint32_t *t = (const uint32_t *)band->taps;
    int32_t up = p->up, pitch = band->row_step >> 1, step = band->window_step >> 1;
    const uint32_t k[9] = {t[0] << up, t[1] << up, t[2] << up, t[3] << up, t[4] << up, t[5] << up,
        t[6] << up, t[7] << up, t[8] << up};
    uint32_t start = (uint32_t)band->start << up;
    int32_t columns = p->columns;
    const int16_t *row = p->x;
    for (int32_t rows = p->rows; rows > 0; rows--, row += step) {
        const int16_t *x = row, *y = x + pitch, *z = y + pitch;
        const int32_t *end = sums + columns;
        for (int32_t rest = columns & 3; rest > 0; rest--, x++, y++, z++) {
            uint32_t s = start;
            tt_add_one(&s, x, k);
            tt_add_one(&s, y, k + 3);
            tt_add_one(&s, z, k + 6);
            *sums++ = (int32_t)s;
        }
        for (; sums != end; sums += 4) {
            uint32_t s[4] = {start, start, start, start};
            tt_add_quad(s, x, k);
            tt_add_quad(s, y, k + 3);
            tt_add_quad(s, z, k + 6);
            sums[0] = (int32_t)s[0];
            sums[1] = (int32_t)s[1];
            sums[2] = (int32_t)s[2];
            sums[3] = (int32_t)s[3];
            x += 4;
            y += 4;
            z += 4;
        }
    }
}

/* Others, the last ones of a row perhaps of whatever lies behind, and written over. */
TT_OUTLINE void others(const tt_plane_band *band, const piece *p, int32_t *sums) {
    const uint32_t *taps = (const uint32_t *)band->taps;
    int32_t pitch = band->row_step >> 1, n = band->kernel_w, h = band->kernel_h, up = p->up;
    const int16_t *row = p->x;
    for (int32_t rows = p->rows; rows > 0; rows--, row += band->window_step >> 1) {
        const int16_t *x = row;
        for (int32_t column = 0; column < p->columns; column += 4) {
            uint32_t start = (uint32_t)band->start, s[4] = {start, start, start, start};
            if (band->stride == 2) {
                tt_add_taps(s, x, pitch, taps, h, n, 2);
            } else if (n >= 5) {
                tt_add_wide(s, x, pitch, taps, h, n);
            } else {
                tt_add_taps(s, x, pitch, taps, h, 3, 1);
            }
            x += 4 * band->stride;
            int32_t *to = sums + column;
            to[0] = (int32_t)(s[0] << up);
            to[1] = (int32_t)(s[1] << up);
            to[2] = (int32_t)(s[2] << up);
            to[3] = (int32_t)(s[3] << up);
        }
        sums += p->columns;
    }
}

/* tt_requantize_s32 for 1 <= n = -shift <= 20 and |sum| < 2^29, of 4 * sum: with h = floor(sum * multiplier / 2^30)
 * its first rounding makes floor((h + 1) / 2), its second one floor((h + 1 - 2 [h < 0] + 2^n) / 2^(n + 1)): both are
 * 0 of h = -1, whose first rounding is not below 0. */
static int is_simple(const tt_plane_band *band) {
    return band->shift < 0 && band->shift >= -20 && tt_abs(band->start >> 1) < 1 << 27;
}

TT_OUTLINE void put(const tt_plane_band *band, int8_t *y, const int32_t *sums, const int32_t *end) {
    int32_t n = -band->shift, low = band->p->low, high = band->p->high;
    int32_t offset = 1 + (1 << n) + band->p->out_zero * (2 << n), multiplier = band->multiplier;
    for (int32_t y_step = band->y_step; sums != end; y += y_step) {
        int32_t h = (int32_t)(((int64_t)*sums++ * multiplier) >> 32);
        int32_t v = (h + 2 * (h >> 31) + offset) >> (n + 1);
        if (v < low || v > high) {
            v = v < low ? low : high;
            tt_plane_clipped(band, y);
        }
        *y = (int8_t)v;
    }
}

/* Of other scales. */
TT_OUTLINE void put_exact(
    const tt_plane_band *band, int8_t *y, const int32_t *sums, const int32_t *end) {
    for (; sums != end; y += band->y_step) {
        int32_t v = tt_plane_exact(band, *sums++);
        *y = (int8_t)v;
        if (v >= 256) {
            tt_plane_clipped(band, y);
        }
    }
}

static void outputs(const tt_plane_band *band, const piece *p) {
    int32_t sums[AT_ONCE + 3];
    if (band->kernel_w == 3 && band->kernel_h == 3 && band->stride == 1) {
        squares(band, p, sums);
    } else {
        others(band, p, sums);
    }
    const int32_t *end = sums + p->rows * p->columns;
    if (p->up != 0) {
        put(band, p->y, sums, end);
    } else {
        put_exact(band, p->y, sums, end);
    }
}

void tt_plane_band_outputs(const tt_plane_band *band) {
    piece next = {(const int16_t *)(const void *)band->plane, 1, band->columns,
        is_simple(band) ? 2 : 0, band->y};
    while ((next.rows + 1) * band->columns <= AT_ONCE) {
        next.rows++;
    }
    for (int32_t rows = band->rows; rows > 0; rows -= next.rows) {
        const int16_t *row = next.x;
        next.rows = tt_min(next.rows, rows);
        for (int32_t left = band->columns; left > 0; left -= AT_ONCE) {
            next.columns = tt_min(left, AT_ONCE);
            outputs(band, &next);
            next.x += AT_ONCE * band->stride;
            next.y += next.rows * next.columns * band->y_step;
        }
        next.x = row + next.rows * (band->window_step >> 1);
    }
}
