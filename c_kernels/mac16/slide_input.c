/* Rows of a depthwise convolution's input gradient; with MAC16 where a window has three rows of three taps. */
#include "tt_mac16.h"
#include "tt_slide.h"

#define AT_ONCE 16 /* sums on the stack */

/* Sums of whole 3x3 windows; of the plane's words, which are int16, low halves are multiplied. */
static __attribute__((noinline)) void whole_windows(
    const tt_slide_input *job, const int32_t *x, int32_t n, int32_t *sums) {
    const int32_t *y = x + (job->pitch >> 2), *z = y + (job->pitch >> 2);
    int16_t taps[10] __attribute__((aligned(4)));
    const int16_t *k = taps;
    for (int32_t i = 0; i < 9; i++) {
        taps[i] = (int16_t)job->taps[i];
    }
    int32_t v, w, zero = 0;
    __asm__ volatile("    addi %[k], %[k], -4\n"
                     "    ldinc m0, %[k]\n"
                     "    ldinc m1, %[k]\n"
                     "    ldinc m2, %[k]\n"
                     "    ldinc m3, %[k]\n"
                     "    l16si %[k], %[k], 4\n"
                     "    loop %[n], 1f\n"
                     "    l32i %[v], %[x], 0\n"
                     "    wsr.acclo %[zero]\n"
                     "    l32i %[w], %[x], 4\n"
                     "    mula.da.ll m0, %[v]\n"
                     "    l32i %[v], %[x], 8\n"
                     "    mula.da.hl m0, %[w]\n"
                     "    l32i %[w], %[y], 0\n"
                     "    mula.da.ll m1, %[v]\n"
                     "    l32i %[v], %[y], 4\n"
                     "    mula.da.hl m1, %[w]\n"
                     "    l32i %[w], %[y], 8\n"
                     "    mula.ad.ll %[v], m2\n"
                     "    l32i %[v], %[z], 0\n"
                     "    mula.ad.lh %[w], m2\n"
                     "    l32i %[w], %[z], 4\n"
                     "    mula.ad.ll %[v], m3\n"
                     "    l32i %[v], %[z], 8\n"
                     "    mula.ad.lh %[w], m3\n"
                     "    addi %[x], %[x], 4\n"
                     "    mula.aa.ll %[v], %[k]\n"
                     "    addi %[y], %[y], 4\n"
                     "    addi %[z], %[z], 4\n"
                     "    rsr.acclo %[v]\n"
                     "    s32i %[v], %[sums], 0\n"
                     "    addi %[sums], %[sums], 4\n"
                     "1:\n"
        : [x] "+r"(x), [y] "+r"(y), [z] "+r"(z), [k] "+r"(k), [sums] "+r"(sums), [v] "=&r"(v),
        [w] "=&r"(w)
        : [n] "r"(n), [zero] "r"(zero)
        : "memory");
}

/* Four sums of `rows` rows of n taps. */
static __attribute__((noinline)) void some_rows(
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

/* n sums to mantissas from number `index` on. */
static __attribute__((noinline)) void put(
    const tt_slide_input *job, int32_t index, int32_t *sums, int32_t n) {
    const tt_grad_writer *writer = job->writer;
    tt_mantissa *m = writer->grad->mantissa;
    uint32_t scale = (uint32_t)job->scale;
    int32_t limit = writer->limit, shift = writer->shift, step = job->index_step;
    for (; n > 0; n--, index += step, sums++) {
        int32_t scaled = tt_mul_shift15(*sums, scale);
        if (!tt_grad_fits(limit, tt_abs(scaled), shift)) {
            break;
        }
        m[index] = tt_grad_cut(scaled, index, 0, shift);
    }
    for (int32_t i = 0; i < n; i++) {
        sums[i] = tt_mul_shift15(sums[i], scale);
    }
    tt_grad_put(job->writer, index, step, sums, 1, n);
}

void tt_slide_input_rows(const tt_slide_input *job) {
    int32_t pitch = job->pitch >> 2, n = job->n, index = job->index, sums[AT_ONCE];
    const int32_t *plane = job->plane + job->first * pitch;
    for (int32_t y = job->first; y < job->first + job->rows; y++) {
        int32_t above = tt_max(-y, 0), rows = tt_min(job->height - y, job->tap_rows) - above;
        for (int32_t x = 0; x < job->columns; x += AT_ONCE) {
            int32_t count = tt_min(AT_ONCE, job->columns - x);
            if (rows == 3 && n == 3 && job->tap_rows == 3) {
                whole_windows(job, plane + x, count, sums);
            } else {
                const int32_t *v = plane + above * pitch + x;
                for (int32_t i = 0; i < count; i += 4) { /* the last ones perhaps outside */
                    some_rows(v + i, pitch, job->taps + above * n, rows, n, sums + i);
                }
            }
            put(job, index + x * job->index_step, sums, count);
        }
        plane += pitch;
        index += job->index_row;
    }
}
