/* Outputs of a depthwise convolution with MAC16, from rows of int16. */
#include "tt_mac16.h"
#include "tt_plane_outputs.h"

#define AT_ONCE 16 /* outputs, whose sums are on the stack */

/* Taps as int16 [kernel_h][words][2]: for a window that begins with a word, and then for one that begins
 * with a word's high half. */
typedef struct {
    int16_t taps[2][TT_MOST_TAP_ROWS * 8];
} packed_taps __attribute__((aligned(4)));

static void pack(const tt_plane_band *band, packed_taps *to) {
    int16_t *even = to->taps[0], *odd = to->taps[1];
    const int32_t *tap = band->taps;
    for (int32_t rows = band->kernel_h; rows > 0; rows--) {
        *odd++ = 0;
        for (int32_t n = band->kernel_w; n > 0; n--, tap++) {
            *even++ = (int16_t)*tap;
            *odd++ = (int16_t)*tap;
        }
        *even++ = 0;
    }
}

/* One output. */
#define PRODUCTS(at)                                                                               \
    "l32i %[v], %[x], " at "\n"                                                                    \
    "l32i %[t], %[k], " at "\n"                                                                    \
    "mula.aa.ll %[v], %[t]\n"                                                                      \
    "mula.aa.hh %[v], %[t]\n"
#define ROWS(words, products)                                                                      \
    __asm__ volatile("    wsr.acclo %[sum]\n"                                                      \
                     "    loop %[rows], 1f\n" products "    addi %[k], %[k], " words "\n"          \
                     "    add %[x], %[x], %[step]\n"                                               \
                     "1:  rsr.acclo %[sum]\n"                                                      \
        : [sum] "+r"(sum), [x] "+r"(x), [k] "+r"(taps), [v] "=&r"(v), [t] "=&r"(t)                 \
        : [rows] "r"(band->kernel_h), [step] "r"(band->row_step)                                   \
        : "memory")

TT_INLINE int32_t window(
    const tt_plane_band *band, const int16_t *x, const int16_t *taps, int32_t words) {
    int32_t sum = band->start, v, t;
    if (words == 2) {
        ROWS("8", PRODUCTS("0") PRODUCTS("4"));
    } else if (words == 3) {
        ROWS("12", PRODUCTS("0") PRODUCTS("4") PRODUCTS("8"));
    } else {
        ROWS("16", PRODUCTS("0") PRODUCTS("4") PRODUCTS("8") PRODUCTS("12"));
    }
    return sum;
}

/* n outputs; x: the first one's window, which begins with a word. */
TT_INLINE void sums_of(const tt_plane_band *band, const packed_taps *taps, const int16_t *x,
    int32_t n, int32_t words, int32_t *sums) {
    int32_t stride = band->stride;
    for (int32_t i = 0; i < n; i += 2, x += 2 * stride) {
        sums[i] = window(band, x, taps->taps[0], words);
        sums[i + 1] = window(band, stride == 1 ? x : x + 2, taps->taps[stride & 1], words);
    }
}

/* Two outputs at a time of a 3x3 kernel with a stride of 1, whose taps stay in registers: two words in
 * each of three rows, of which the second output begins with a high half. */
static void sums_of_3x3(const tt_plane_band *band, const packed_taps *taps, const int16_t *x,
    int32_t n, int32_t *sums) {
    const int16_t *k = taps->taps[0], *y = x + (band->row_step >> 1);
    const int16_t *z = y + (band->row_step >> 1);
    int32_t pairs = (n + 1) >> 1, last, a, b, c, d, e;
    __asm__ volatile("    addi %[k], %[k], -4\n"
                     "    ldinc m0, %[k]\n"
                     "    ldinc m1, %[k]\n"
                     "    ldinc m2, %[k]\n"
                     "    ldinc m3, %[k]\n"
                     "    l32i %[last], %[k], 8\n"
                     "    l32i %[k], %[k], 4\n"
                     "    loop %[pairs], 1f\n"
                     "    l32i %[a], %[x], 0\n"
                     "    wsr.acclo %[start]\n"
                     "    l32i %[b], %[x], 4\n"
                     "    mula.da.ll m0, %[a]\n"
                     "    mula.da.hh m0, %[a]\n"
                     "    l32i %[c], %[y], 0\n"
                     "    mula.da.ll m1, %[b]\n"
                     "    l32i %[d], %[y], 4\n"
                     "    mula.ad.ll %[c], m2\n"
                     "    mula.ad.hh %[c], m2\n"
                     "    l32i %[e], %[z], 0\n"
                     "    mula.ad.ll %[d], m3\n"
                     "    l32i %[a], %[z], 4\n"
                     "    mula.aa.ll %[k], %[e]\n"
                     "    mula.aa.hh %[k], %[e]\n"
                     "    mula.aa.ll %[last], %[a]\n"
                     "    addi %[y], %[y], 4\n"
                     "    rsr.acclo %[pairs]\n"
                     "    wsr.acclo %[start]\n"
                     "    s32i %[pairs], %[sums], 0\n"
                     "    mula.aa.lh %[k], %[e]\n"
                     "    mula.aa.hl %[k], %[a]\n"
                     "    mula.aa.lh %[last], %[a]\n"
                     "    l32i %[a], %[x], 0\n"
                     "    mula.ad.hl %[c], m2\n"
                     "    mula.ad.lh %[d], m2\n"
                     "    mula.ad.hl %[d], m3\n"
                     "    addi %[z], %[z], 4\n"
                     "    mula.da.lh m0, %[a]\n"
                     "    mula.da.hl m0, %[b]\n"
                     "    mula.da.lh m1, %[b]\n"
                     "    addi %[x], %[x], 4\n"
                     "    rsr.acclo %[pairs]\n"
                     "    s32i %[pairs], %[sums], 4\n"
                     "    addi %[sums], %[sums], 8\n"
                     "1:\n"
        : [x] "+r"(x), [y] "+r"(y), [z] "+r"(z), [k] "+r"(k), [sums] "+r"(sums),
        [pairs] "+r"(pairs), [last] "=&r"(last), [a] "=&r"(a), [b] "=&r"(b), [c] "=&r"(c),
        [d] "=&r"(d), [e] "=&r"(e)
        : [start] "r"(band->start)
        : "memory");
}

static void outputs(
    const tt_plane_band *band, const packed_taps *taps, const int16_t *x, int8_t *y, int32_t n) {
    int32_t sums[AT_ONCE];
    switch (band->kernel_w) {
        case 3:
            if (band->kernel_h == 3 && band->stride == 1) {
                sums_of_3x3(band, taps, x, n, sums);
            } else {
                sums_of(band, taps, x, n, 2, sums);
            }
            break;
        case 5:
            sums_of(band, taps, x, n, 3, sums);
            break;
        default:
            sums_of(band, taps, x, n, 4, sums);
            break;
    }
    const tt_plane_scale scale = band->scale;
    const int32_t *sum = sums;
    for (int32_t y_step = band->y_step; n > 0; n--, y += y_step) {
        tt_plane_put(band, scale, y, *sum++);
    }
}

void tt_plane_band_outputs(const tt_plane_band *band) {
    const int16_t *row = (const int16_t *)(const void *)band->plane;
    int8_t *y = band->y;
    packed_taps taps;
    pack(band, &taps);
    for (int32_t rows = band->rows; rows > 0; rows--, row += band->window_step >> 1) {
        const int16_t *x = row;
        for (int32_t left = band->columns; left > 0; left -= AT_ONCE) {
            int32_t n = tt_min(left, AT_ONCE);
            outputs(band, &taps, x, y, n);
            x += n * band->stride;
            y += n * band->y_step;
        }
    }
}
