/* The inner loops of gradients: factors of 16 bits against int8. */
#ifndef TT_TILE_H
#define TT_TILE_H

#include "tt_gradient.h"
#include "tt_packing.h"

/* Sums of `rows` pixels for columns side by side: sums[r][c] = sum over k < n of g[k][r] * w[k * stride + c],
 * c < columns; no sum on the way may leave int32. Of the rows only `filled` mean a pixel. */
typedef struct {
    int32_t rows, filled; /* see tt_tile_rows */
    int32_t n, stride, columns;
} tt_tile;

/* How many rows a tile of sums of n has when `left` are left to do: as many as a target holds sums of in
 * registers, or four where these leave less of them empty. */
static inline int32_t tt_tile_rows(int32_t left, int32_t n) {
#if defined(__ARM_ARCH_6M__)
    if ((left == 5 || left == 6 || left > 8) && 4 * TT_TILE_ROWS * n <= TT_TILE_BYTES) {
        return TT_TILE_ROWS;
    }
#else
    (void)left;
    (void)n;
#endif
    return 4;
}

/* The mantissas of the sums: number index + r * pitch + c. There is room for them (tt_grad_reserve). */
void tt_gradient_tile(const tt_tile *tile, const int32_t *g, const int8_t *w,
    tt_grad_writer *writer, int32_t index, int32_t pitch);

/* The real-valued gradient of an output, as in the portable kernel: |dy| * one < 2^15. */
static inline int32_t tt_real_gradient(int32_t dy, int32_t one, int32_t scale) {
    return (dy * one * scale + (1 << 14)) >> 15;
}

/* The next tile of an input's gradient, of at most `left` pixels. */
static inline tt_tile tt_tile_of(const tt_conv2d_bwd_input_params *p, int32_t left) {
    int32_t rows = tt_tile_rows(left, p->window.out_c);
    tt_tile tile = {rows, tt_min(rows, left), p->window.out_c, p->window.in_c, p->window.in_c};
    return tile;
}

/* Its factors, g[o][r] = the real-valued gradient of output channel o of pixel r; 0 where that is none. */
void tt_scale_pixels(const tt_conv2d_bwd_input_params *p, const tt_tile *tile,
    const tt_mantissa *dy, const uint16_t *scale, int32_t *g);
void tt_scale_pixels_plain(const tt_conv2d_bwd_input_params *p, const tt_tile *tile,
    const tt_mantissa *dy, const uint16_t *scale, int32_t *g);

/* Whether rows of weights can be read in words, as what follows does. */
static inline int tt_weights_in_words(const tt_conv2d_bwd_input_params *p, const int8_t *w) {
    return (p->window.in_c & 3) == 0 && ((uintptr_t)w & 3u) == 0u;
}

/* Pixels each by itself: what is 0 of their gradients costs next to nothing. */
typedef struct {
    const tt_conv2d_bwd_input_params *p;
    const int8_t *w; /* see tt_weights_in_words */
    const uint16_t *scale;
    int32_t *factors; /* room for 2 * out_c, made even */
    tt_grad_writer *writer;
    int32_t balance; /* 0 at first; below, few are 0 */
} tt_sparse;

/* Append the gradients of a part of the only pixel. */
void tt_single_pixel(tt_sparse *s, const tt_mantissa *dy, tt_part *part);

/* Append the gradients of some pixels if that is faster than a tile; returns whether it did. */
int tt_sparse_pixels(tt_sparse *s, const tt_mantissa *dy, int32_t pixels);

/* sums[c] = sum over k < n of factors[k][0] * w[factors[k][1] + c], c < 4 * quads; all that is read of w is
 * aligned to 4, n is even. */
void tt_gradient_row(
    const int32_t *factors, int32_t n, const int8_t *w, int32_t quads, int32_t *sums);

#endif
