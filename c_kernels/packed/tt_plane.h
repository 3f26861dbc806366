/* A depthwise convolution on one channel of the map: packed into words of two inputs, so that each tap
 * serves two outputs with one 32-bit multiplication. */
#ifndef TT_PLANE_H
#define TT_PLANE_H

#include "tt_packing.h"

/* How a row of the map becomes one of the plane. With v the inputs of the row and the input's zero point
 * left and right of them, word j is v[j], in the high half v[j + stride]. Words not written here are left
 * alone: they are zero points alone, the same for every channel. */
typedef struct {
    int32_t stride;        /* 1 or 2 */
    int32_t before;        /* inputs that go before the first word's high half: 0 to stride */
    int32_t words;         /* whose high half is an input */
    int32_t after;         /* further words, whose high half is the zero point: 0 to stride */
    int32_t zero;          /* the zero point */
    int32_t x_step, x_row; /* bytes from an input to the next and from row to row */
    int32_t row_step;      /* bytes from a row of the plane to the next */
    int32_t first;         /* the first word that is written, counted from its row's first */
} tt_plane_rows;

/* A word of the plane without inputs. A target may lay out rows of the plane in its own way. */
uint32_t tt_plane_border(int32_t zero);

/* Pack n > 0 rows; x: the first input that is read, to: the first word that is written. */
void tt_plane_pack(const tt_plane_rows *rows, const int8_t *x, int32_t n, uint32_t *to);

/* How a channel's sums become outputs: a = sum >> pre is in int16, or else the output is saturated;
 * floor((a * multiplier + low) / 2^shift) and the same + width are the ends of an interval in which
 * the reference's result lies, or one that is clamped to the same. If the ends differ, the result has to
 * be computed. */
typedef struct {
    int32_t shift, pre, multiplier, low, width;
} tt_plane_scale;

/* Rows of outputs of one channel; plane_band.S knows the offsets. */
typedef struct {
    const uint32_t *plane; /* the first word of the first output's window */
    const int32_t *taps;   /* [kernel_h][kernel_w] */
    int32_t start;         /* what every sum begins with */
    tt_plane_scale scale;
    int32_t kernel_h, kernel_w; /* kernel_w: 3, 5 or 7 */
    int32_t row_step;           /* bytes from a row of the plane to the next */
    int32_t window_step;        /* from one row of outputs to the next */
    int32_t stride;             /* along a row */
    int32_t rows, columns;      /* of outputs: at least 1 and 2 */
    int8_t *y; /* the first output, and bytes to the next one, of the next row too */
    int32_t y_step;
    uint8_t *clip;     /* NULL, or the mask, with all of its bits set */
    const int8_t *map; /* the output that bit 0 of the mask stands for */
    /* for tt_plane_exact */
    const tt_conv2d *p;
    int32_t multiplier, shift;
} tt_plane_band;

/* sum = start + sum over taps of input * tap, exact for |taps| <= 127;
 * y = clamp(out_zero + requantize(sum)); bits of what is clamped are cleared. */
void tt_plane_band_outputs(const tt_plane_band *band);

/* The output of a sum as the reference computes it; 256 more if it was clamped. */
int32_t tt_plane_exact(const tt_plane_band *band, int32_t sum);

/* Clear the bit of an output. */
static inline void tt_plane_clipped(const tt_plane_band *band, const int8_t *y) {
    if (band->clip != NULL) {
        size_t bit = (size_t)(y - band->map);
        band->clip[bit >> 3] = (uint8_t)(band->clip[bit >> 3] & ~(1u << (bit & 7u)));
    }
}

#endif
