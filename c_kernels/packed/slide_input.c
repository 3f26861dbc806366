/* Rows of a depthwise convolution's input gradient in C. */
#include "tt_slide.h"

#define INLINE static inline __attribute__((always_inline))

/* The mantissas of four sums if all of them fit; whether they do. */
static inline int store(const tt_slide_input *job, int32_t index, const int32_t *sums) {
    const tt_grad_writer *writer = job->writer;
    tt_mantissa *m = writer->grad->mantissa;
    int32_t scaled[4], any = 0, shift = writer->shift;
    for (int32_t i = 0; i < 4; i++) {
        scaled[i] = tt_mul_shift15(sums[i], (uint32_t)job->scale);
        any |= tt_abs(scaled[i]); /* at most limits of 2^k - 1 if none is larger */
    }
    if (!tt_grad_fits(writer->limit, any, shift)) {
        return 0;
    }
    for (int32_t i = 0; i < 4; i++, index += job->index_step) {
        m[index] = tt_grad_cut(scaled[i], index, 0, shift);
    }
    return 1;
}

/* Four sums next to each other over `rows` rows of n taps. */
INLINE void add_up(
    const int32_t *v, int32_t pitch, const int32_t *taps, int32_t rows, int32_t n, int32_t *sums) {
    int32_t a = 0, b = 0, c = 0, d = 0;
    for (; rows > 0; rows--, v += pitch - n) {
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

/* For kernels of n columns. */
INLINE void input_rows(const tt_slide_input *job, int32_t n) {
    int32_t pitch = job->pitch >> 2, columns = job->columns, index = job->index;
    const int32_t *plane = job->plane + job->first * pitch;
    for (int32_t y = 0; y < job->rows; y++, plane += pitch, index += job->index_row) {
        int32_t above = tt_max(-(job->first + y), 0);
        int32_t below = tt_min(job->height - (job->first + y), job->tap_rows);
        for (int32_t next = 0; next < columns; next += 4) {
            int32_t x = tt_max(tt_min(next, columns - 4), 0); /* some of the last four once more */
            int32_t sums[4], at = index + x * job->index_step;
            add_up(plane + above * pitch + x, pitch, job->taps + above * n, below - above, n, sums);
            if (columns < 4 || !store(job, at, sums)) {
                tt_slide_put(job, job->writer->grad->mantissa + at, sums);
            }
        }
    }
}

void tt_slide_input_rows(const tt_slide_input *job) {
    if (job->n == 3) { /* unrolled */
        input_rows(job, 3);
    } else {
        input_rows(job, job->n);
    }
}
