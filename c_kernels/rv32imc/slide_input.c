/* Rows of a depthwise convolution's input gradient where there are 31 registers. */
#include "tt_slide.h"

#define INLINE static inline __attribute__((always_inline))

/* The mantissa of a sum that fits. */
INLINE tt_mantissa cut(int32_t scaled, int32_t index, int32_t shift) {
    return tt_grad_cut(scaled, index, 0, shift);
}

/* floor(sum * scale / 2^15) for scale < 2^15, which comes as scale * 2^17: one multiplication. */
INLINE int32_t scaled(int32_t sum, uint32_t scale) {
    return (int32_t)(((int64_t)sum * scale) >> 32);
}

/* The mantissas of four sums. */
static __attribute__((noinline)) void put(
    const tt_slide_input *job, int32_t index, int32_t a, int32_t b, int32_t c, int32_t d) {
    const tt_grad_writer *writer = job->writer;
    int32_t shift = writer->shift, step = job->index_step, v0 = a, v1 = b, v2 = c, v3 = d;
    if (job->scale < 1 << 15) {
        uint32_t scale = (uint32_t)job->scale << 17;
        v0 = scaled(a, scale);
        v1 = scaled(b, scale);
        v2 = scaled(c, scale);
        v3 = scaled(d, scale);
    }
    /* at most limits of 2^k - 1 if none is larger */
    int32_t any = tt_abs(v0) | tt_abs(v1) | tt_abs(v2) | tt_abs(v3);
    tt_mantissa *m = writer->grad->mantissa + index;
    if (!tt_grad_fits(writer->limit, any, shift)) {
        int32_t sums[4] = {a, b, c, d};
        tt_slide_put(job, m, sums);
        return;
    }
    m[0] = cut(v0, index, shift);
    m += step;
    m[0] = cut(v1, index + step, shift);
    m += step;
    m[0] = cut(v2, index + 2 * step, shift);
    m += step;
    m[0] = cut(v3, index + 3 * step, shift);
}

/* One row of three taps for four sums. */
#define ROW(v, k0, k1, k2)                                                                         \
    do {                                                                                           \
        int32_t p = (v)[0], q = (v)[1], r = (v)[2];                                                \
        a += p * (k0) + q * (k1) + r * (k2);                                                       \
        p = (v)[3];                                                                                \
        b += q * (k0) + r * (k1) + p * (k2);                                                       \
        q = (v)[4];                                                                                \
        c += r * (k0) + p * (k1) + q * (k2);                                                       \
        d += p * (k0) + q * (k1) + (v)[5] * (k2);                                                  \
    } while (0)

/* Four sums, and the same of the next four, as long as there are four; all of three rows of three taps. */
static int32_t whole_windows(
    const tt_slide_input *job, const int32_t *x, int32_t index, int32_t columns) {
    const int32_t *k = job->taps, *y = x + (job->pitch >> 2), *z = y + (job->pitch >> 2);
    int32_t k0 = k[0], k1 = k[1], k2 = k[2], k3 = k[3], k4 = k[4], k5 = k[5], k6 = k[6], k7 = k[7];
    int32_t k8 = k[8], done = 0;
    for (; done + 4 <= columns; done += 4, x += 4, y += 4, z += 4) {
        int32_t a = 0, b = 0, c = 0, d = 0;
        ROW(x, k0, k1, k2);
        ROW(y, k3, k4, k5);
        ROW(z, k6, k7, k8);
        put(job, index, a, b, c, d);
        index += 4 * job->index_step;
    }
    return done;
}

/* Four sums of `rows` rows of n taps. */
INLINE void some_rows(const tt_slide_input *job, const int32_t *v, const int32_t *taps,
    int32_t rows, int32_t n, int32_t *sums) {
    int32_t a = 0, b = 0, c = 0, d = 0, pitch = (job->pitch >> 2) - n;
    for (; rows > 0; rows--, v += pitch) {
        for (int32_t u = n; u > 0; u--, v++) {
            int32_t tap = *taps++;
            a += v[0] * tap;
            b += v[1] * tap;
            c += v[2] * tap;
            d += v[3] * tap;
        }
    }
    sums[0] = a;
    sums[1] = b;
    sums[2] = c;
    sums[3] = d;
}

void tt_slide_input_rows(const tt_slide_input *job) {
    int32_t pitch = job->pitch >> 2, columns = job->columns, n = job->n, index = job->index;
    const int32_t *plane = job->plane + job->first * pitch;
    for (int32_t y = job->first; y < job->first + job->rows; y++) {
        int32_t above = tt_max(-y, 0);
        int32_t rows = tt_min(job->height - y, job->tap_rows) - above, next = 0;
        if (rows == 3 && n == 3 && job->tap_rows == 3) {
            next = whole_windows(job, plane, index, columns);
        }
        for (; next < columns; next += 4) {
            int32_t x = tt_max(tt_min(next, columns - 4), 0); /* some of the last four once more */
            int32_t sums[4], at = index + x * job->index_step;
            const int32_t *v = plane + above * pitch + x, *taps = job->taps + above * n;
            if (n == 3) {
                some_rows(job, v, taps, rows, 3, sums);
            } else if (n == 5) {
                some_rows(job, v, taps, rows, 5, sums);
            } else {
                some_rows(job, v, taps, rows, n, sums);
            }
            if (columns < 4) {
                tt_slide_put(job, job->writer->grad->mantissa + at, sums);
            } else {
                put(job, at, sums[0], sums[1], sums[2], sums[3]);
            }
        }
        plane += pitch;
        index += job->index_row;
    }
}
