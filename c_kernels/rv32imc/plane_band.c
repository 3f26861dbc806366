/* Outputs of a depthwise convolution, two in a word, where there are 31 registers. */
#include "tt_plane_outputs.h"

#define INLINE static inline __attribute__((always_inline))
#define AT_ONCE 64 /* outputs, whose sums are on the stack, with one more */

/* A product in two lanes is p = high * 2^16 + low; |low| < 2^15 for two products, so that the high lane is
 * p >> 16, rounded. total: low + high * 2^16 of all. */
typedef struct {
    uint32_t total, high;
} lanes;

INLINE void add(lanes *s, uint32_t p) {
    s->total += p;
    s->high += (uint32_t)((int32_t)(p + 0x8000u) >> 16);
}

INLINE lanes begin(const tt_plane_band *band) {
    uint32_t start = (uint32_t)band->start;
    lanes s = {start + (start << 16), start};
    return s;
}

INLINE void end(lanes s, int32_t *sums) {
    sums[0] = (int32_t)(s.total - (s.high << 16));
    sums[1] = (int32_t)s.high;
}

/* So many rows of so many outputs at a time; of an odd number the last one has a pair for itself. */
typedef struct {
    const uint32_t *x; /* the first one's window */
    int32_t rows, columns;
} piece;

/* 3x3: the taps stay in registers. */
static void sums_of_3x3(const tt_plane_band *band, const piece *part, int32_t *sums) {
    const int32_t *k = band->taps;
    uint32_t k0 = (uint32_t)k[0], k1 = (uint32_t)k[1], k2 = (uint32_t)k[2], k3 = (uint32_t)k[3];
    uint32_t k4 = (uint32_t)k[4], k5 = (uint32_t)k[5], k6 = (uint32_t)k[6], k7 = (uint32_t)k[7];
    uint32_t k8 = (uint32_t)k[8];
    lanes start = begin(band);
    int32_t step = 2 * band->stride;
    const uint32_t *row = part->x;
    for (int32_t rows = part->rows; rows > 0; rows--, row += band->window_step >> 2) {
        const uint32_t *x = row, *y = x + (band->row_step >> 2), *z = y + (band->row_step >> 2);
        int32_t *sum = sums;
        for (sums += part->columns; sum < sums; sum += 2) {
            lanes s = start;
            add(&s, x[0] * k0 + x[1] * k1);
            add(&s, x[2] * k2 + y[0] * k3);
            add(&s, y[1] * k4 + y[2] * k5);
            add(&s, z[0] * k6 + z[1] * k7);
            add(&s, z[2] * k8);
            end(s, sum);
            x += step;
            y += step;
            z += step;
        }
    }
}

/* Kernels of n columns. */
INLINE void sums_of(const tt_plane_band *band, const piece *part, int32_t n, int32_t *sums) {
    lanes start = begin(band);
    int32_t row_step = band->row_step >> 2, step = 2 * band->stride;
    const uint32_t *row = part->x;
    for (int32_t rows = part->rows; rows > 0; rows--, row += band->window_step >> 2) {
        const uint32_t *x = row;
        int32_t *sum = sums;
        for (sums += part->columns; sum < sums; sum += 2, x += step) {
            lanes s = start;
            const uint32_t *v = x;
            const int32_t *k = band->taps;
            for (const int32_t *last = k + band->kernel_h * n; k != last; k += n) {
                add(&s, v[0] * (uint32_t)k[0] + v[1] * (uint32_t)k[1]);
                if (n > 3) {
                    add(&s, v[2] * (uint32_t)k[2] + v[3] * (uint32_t)k[3]);
                }
                if (n > 5) {
                    add(&s, v[4] * (uint32_t)k[4] + v[5] * (uint32_t)k[5]);
                }
                add(&s, v[n - 1] * (uint32_t)k[n - 1]);
                v += row_step;
            }
            end(s, sum);
        }
    }
}

static void outputs(const tt_plane_band *band, const piece *part, int8_t *y) {
    int32_t sums[AT_ONCE + 1];
    if (band->kernel_w == 5) {
        sums_of(band, part, 5, sums);
    } else if (band->kernel_w == 7) {
        sums_of(band, part, 7, sums);
    } else if (band->kernel_h == 3) {
        sums_of_3x3(band, part, sums);
    } else {
        sums_of(band, part, 3, sums);
    }
    const tt_plane_scale scale = band->scale;
    const int32_t *last = sums + part->rows * part->columns;
    int32_t y_step = band->y_step;
    for (const int32_t *sum = sums; sum != last; sum++, y += y_step) {
        tt_plane_put(band, scale, y, *sum);
    }
}

void tt_plane_band_outputs(const tt_plane_band *band) {
    piece next = {band->plane, 1, band->columns};
    while ((next.rows + 1) * band->columns <= AT_ONCE && next.rows < band->rows) {
        next.rows++;
    }
    int8_t *y = band->y;
    for (int32_t rows = band->rows; rows > 0; rows -= next.rows) {
        const uint32_t *row = next.x;
        next.rows = tt_min(next.rows, rows);
        for (int32_t left = band->columns; left > 0; left -= AT_ONCE) {
            next.columns = tt_min(left, AT_ONCE);
            outputs(band, &next, y);
            next.x += next.columns * band->stride;
            y += next.rows * next.columns * band->y_step;
        }
        next.x = row + next.rows * (band->window_step >> 2);
    }
}
