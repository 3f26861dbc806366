/* The inner loop of tiles in assembly. */
#ifndef TT_COLUMNS_H
#define TT_COLUMNS_H

#include "tt_tile.h"

/* What is to do of a tile of gradients; tile_columns.S knows the offsets. */
typedef struct {
    const int32_t *g;       /* [n][rows] */
    int32_t stride, twice;  /* from one element of a column to the next, and to the one after it */
    const int8_t *w, *last; /* a stride before the first column, and before where columns end */
    const int32_t *end;     /* of g */
    uintptr_t
        out; /* of its first row, less the size of a mantissa times where a column's last weight is */
    int32_t step; /* bytes from row to row */
#if TT_GRADIENT_BITS == 16
    int32_t shift, step_twice;
    int32_t limit, unused; /* of |mantissa|; -1: no sum fits */
#else
    int32_t mask, shift;  /* what cuts sums, 2^shift - 1; no sum fits where it is large */
    uint32_t hash, round; /* of address 0; of the pattern 0xaa.., with the bias of sums that fit */
#endif
    int32_t rows, n;
    int32_t sums[TT_TILE_ROWS]; /* of 4 rows the last ones are used */
} tt_columns;

/* The mantissas of the sums of columns side by side, up to one that does not fit: leaves its sums and
 * returns how many columns are left, this one included. What is written for it is none of its mantissas. */
int32_t tt_tile_columns(tt_columns *t);

/* What is to do of a tile of weight gradients; add_columns.S and lane_columns.S know the offsets. */
typedef struct {
    const int32_t *g;       /* [n][rows] */
    int32_t stride, twice;  /* from one element of a column to the next, and to the one after it */
    const int8_t *w, *last; /* a stride before the first column, and before where columns end */
    int32_t *out;           /* [columns][rows] */
    const int32_t *end;     /* of g */
    int32_t rows, n;
#if TT_GRADIENT_BITS == 8
    int32_t starts[TT_TILE_ROWS]; /* of 4 rows the last ones are used */
#endif
} tt_adding;

#if TT_GRADIENT_BITS == 16
/* out += the sums of the columns, int32 modulo 2^32. */
void tt_add_columns(tt_adding *t);
#else
/* The same of rows two in a word: g[k / 2][r / 2][k & 1] = rows r and r + 1 of pixel k as lanes, low + 2^16 * high;
 * an odd number of pixels begins with k = 1. starts: how sums of 32 bits and of the high lanes start, with
 * TT_LANES (tt_swar.h) taken off for each two pixels. */
void tt_add_lanes(tt_adding *t);
#endif

/* For tt_take_rows: n pixels of 6 or 4 rows, and what they add up to, of 4 rows the last ones. take_rows.S knows the
 * offsets. */
typedef struct {
    int32_t n, rows;
    int32_t totals[TT_TILE_ROWS];
} tt_taken;

/* g[k][r] = dy[k * step + r], or lanes of them if they are of 8 bits. */
void tt_take_rows(const tt_mantissa *dy, int32_t step, int32_t *g, tt_taken *t);

/* For tt_scale_rows: rows of so many channels, 6 or 4. scale_rows.S knows the offsets. */
typedef struct {
    int32_t rows, channels, headroom;
} tt_scaling;

/* g[o][r] = (dy[r][o] * 2^headroom * scale[o] + 2^14) >> 15. */
void tt_scale_rows(const tt_mantissa *dy, const uint16_t *scale, int32_t *g, const tt_scaling *s);

#endif
