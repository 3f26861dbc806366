/* The inner loops of gradients: factors of 16 bits against int8. */
#ifndef TT_TILE_H
#define TT_TILE_H

#include "tt_packing.h"

/* n: length of the sums. stride: from one element of a column to the next. count: of columns, which
 * lie side by side. */
typedef struct {
    int32_t stride, n, count;
} tt_tile;

/* The real-valued gradient of an output, as in the portable kernel: |dy| * one < 2^15. */
static inline int32_t tt_real_gradient(int32_t dy, int32_t one, int32_t scale) {
    return (dy * one * scale + (1 << 14)) >> 15;
}

/* g[o][r] = the real-valued gradient of output channel o of pixel r; 0 from `rows` pixels on. */
static inline void tt_scale_pixels(const tt_conv2d_bwd_input_params *p, const tt_mantissa *dy,
    const uint16_t *scale, int32_t rows, int32_t *g) {
    int32_t out_c = p->window.out_c, one = 1 << p->headroom;
    for (int32_t r = 0; r < TT_TILE_ROWS; r++, g++) {
        int32_t *to = g;
        for (int32_t o = 0; o < out_c; o++, to += TT_TILE_ROWS) {
            *to = r < rows ? tt_real_gradient(*dy++, one, scale[o]) : 0;
        }
    }
}

/* sums[c][r] = sum over k < n of g[k][r] * w[k * stride + c], r < TT_TILE_ROWS, c < count; no sum on the
 * way may leave int32. */
void tt_gradient_tile(const int32_t *g, const int8_t *w, const tt_tile *tile, int32_t *sums);

/* sums[c] = sum over k < n of factors[k][0] * w[factors[k][1] + c], c < 4 * quads; all that is read of w is
 * aligned to 4, n is even. */
void tt_gradient_row(
    const int32_t *factors, int32_t n, const int8_t *w, int32_t quads, int32_t *sums);

#endif
