/* Rows of a depthwise convolution's input gradient where there are 31 registers. */
#define TT_ELEMENT int32_t
#include "tt_window_sums.h"
#include "tt_cut.h"
#include "tt_slide.h"

/* floor(sum * scale / 2^15), which comes as scale * 2^17, or * 2^16 for 2 * sum: one multiplication. */
TT_INLINE int32_t scaled(uint32_t sum, uint32_t scale) {
    return (int32_t)(((int64_t)(int32_t)sum * scale) >> 32);
}

/* Whether four sums, scaled, fit, which are mantissas then. */
TT_INLINE int put(tt_cutter cut, const tt_slide_input *job, tt_mantissa *m, const int32_t *v) {
    if (!tt_cut_fits(cut, v[0]) || !tt_cut_fits(cut, v[1]) || !tt_cut_fits(cut, v[2]) ||
        !tt_cut_fits(cut, v[3])) {
        return 0;
    }
    int32_t step = job->index_step, index = (int32_t)(m - job->writer->grad->mantissa);
    m[0] = tt_cut(cut, v[0], index);
    m += step;
    m[0] = tt_cut(cut, v[1], index + step);
    m += step;
    m[0] = tt_cut(cut, v[2], index + 2 * step);
    m += step;
    m[0] = tt_cut(cut, v[3], index + 3 * step);
    return 1;
}

/* Where they do not; twice the sums. */
TT_OUTLINE void put_any(const tt_slide_input *job, tt_mantissa *m, const uint32_t *twice) {
    int32_t sums[4];
    for (int32_t i = 0; i < 4; i++) {
        sums[i] = (int32_t)twice[i] >> 1;
    }
    tt_slide_put(job, m, sums);
}

/* So many rows of whole 3x3 windows, four at a time, at least 4 side by side: the taps stay in registers. */
TT_OUTLINE void whole_windows(
    const tt_slide_input *job, const int32_t *row, int32_t index, int32_t rows) {
    const uint32_t *t = (const uint32_t *)job->taps;
    const uint32_t k[9] = {
        2 * t[0], 2 * t[1], 2 * t[2], 2 * t[3], 2 * t[4], 2 * t[5], 2 * t[6], 2 * t[7], 2 * t[8]};
    uint32_t scale = (uint32_t)job->scale << 16;
    int32_t pitch = job->pitch >> 2;
    tt_cutter cut = tt_cutter_of(job->writer);
    for (; rows > 0; rows--, row += pitch, index += job->index_row) {
        const int32_t *x = row, *y = x + pitch, *z = y + pitch;
        tt_mantissa *m = job->writer->grad->mantissa + index;
        for (int32_t left = job->columns; left > 0; left -= 4) {
            if (left < 4) { /* some once more */
                x -= 4 - left;
                y -= 4 - left;
                z -= 4 - left;
                m -= (4 - left) * job->index_step;
            }
            uint32_t s[4] = {0, 0, 0, 0};
            tt_add_quad(s, x, k);
            tt_add_quad(s, y, k + 3);
            tt_add_quad(s, z, k + 6);
            int32_t v[4] = {
                scaled(s[0], scale), scaled(s[1], scale), scaled(s[2], scale), scaled(s[3], scale)};
            if (!put(cut, job, m, v)) {
                uint32_t twice[4] = {s[0], s[1], s[2], s[3]};
                put_any(job, m, twice);
                cut = tt_cutter_of(job->writer);
            }
            x += 4;
            y += 4;
            z += 4;
            m += 4 * job->index_step;
        }
    }
}

/* One row of others, of which `rows` rows of taps lie inside. */
TT_OUTLINE void some_rows(
    const tt_slide_input *job, const int32_t *row, const int32_t *t, int32_t rows, int32_t index) {
    const uint32_t *taps = (const uint32_t *)t;
    for (int32_t next = 0; next < job->columns; next += 4) {
        int32_t x = tt_max(tt_min(next, job->columns - 4), 0); /* some once more */
        uint32_t s[4] = {0, 0, 0, 0}, scale = (uint32_t)job->scale << 17;
        if (job->n >= 5) {
            tt_add_wide(s, row + x, job->pitch >> 2, taps, rows, job->n);
        } else {
            tt_add_taps(s, row + x, job->pitch >> 2, taps, rows, job->n, 1);
        }
        tt_mantissa *m = job->writer->grad->mantissa + index + x * job->index_step;
        int32_t v[4] = {(int32_t)s[0], (int32_t)s[1], (int32_t)s[2], (int32_t)s[3]};
        if (job->scale < 1 << 15) {
            v[0] = scaled(s[0], scale);
            v[1] = scaled(s[1], scale);
            v[2] = scaled(s[2], scale);
            v[3] = scaled(s[3], scale);
        }
        if (job->columns < 4 || !put(tt_cutter_of(job->writer), job, m, v)) {
            int32_t sums[4] = {(int32_t)s[0], (int32_t)s[1], (int32_t)s[2], (int32_t)s[3]};
            tt_slide_put(job, m, sums);
        }
    }
}

void tt_slide_input_rows(const tt_slide_input *job) {
    int32_t pitch = job->pitch >> 2, n = job->n, index = job->index, rows;
    int32_t y = job->first, end = y + job->rows, last = job->height - job->tap_rows;
    int squares = n == 3 && job->tap_rows == 3 && job->columns >= 4;
    for (; y < end; y += rows, index += rows * job->index_row) {
        int32_t above = tt_max(-y, 0);
        const int32_t *row = job->plane + (y + above) * pitch;
        if (squares && y >= 0 && y <= last) {
            rows = tt_min(last + 1, end) - y;
            whole_windows(job, row, index, rows);
        } else {
            int32_t inside = tt_min(job->height - y, job->tap_rows) - above;
            some_rows(job, row, job->taps + above * n, inside, index);
            rows = 1;
        }
    }
}
