/* The inner loop of tiles in assembly. */
#ifndef TT_COLUMNS_H
#define TT_COLUMNS_H

#include "tt_tile.h"

/* What is left to do of a tile; tile_columns.S knows the offsets. */
typedef struct {
    const int32_t *g;    /* [n][rows] */
    int32_t stride;      /* from one element of a column to the next */
    const int32_t *end;  /* of g */
    const int8_t *w;     /* a stride before the next column */
    void *out;           /* of its first row: mantissas or int32 */
    int32_t step;        /* bytes from row to row */
    int32_t mask, shift; /* of mantissas: what cuts sums, 2^shift - 1 for those below 0; */
#if TT_GRADIENT_BITS == 16
    int32_t limit, span; /* and -limit <= mantissa <= limit, span being 2 * limit */
#else
    uint32_t hash, round; /* of address 0; of the pattern 0xaa.., with the bias of sums that fit */
#endif
    int32_t columns, rows, n;
    int32_t sums[TT_TILE_ROWS]; /* of 4 rows the last ones are used */
} tt_columns;

/* Writing to nowhere, and as if no sum fitted. */
static inline tt_columns tt_columns_of(const tt_tile *tile, const int32_t *g, const int8_t *w) {
    tt_columns t = {
        .g = g,
        .stride = tile->stride,
        .end = g + tile->n * tile->rows,
        .w = w - tile->stride,
#if TT_GRADIENT_BITS == 16
        .limit = INT32_MIN,
#else
        .shift = 32,
#endif
        .columns = tile->columns,
        .rows = tile->rows,
        .n = tile->n,
    };
    return t;
}

/* The mantissas of the sums of columns side by side, up to one that does not fit: leaves its sums and
 * returns how many columns are left, this one included. */
int32_t tt_tile_columns(tt_columns *t);

#if TT_GRADIENT_BITS == 16
/* out = (out & mask) + the sums of the columns + sums[row], int32 modulo 2^32. */
void tt_add_columns(tt_columns *t);
#else
/* The same of rows two in a word: g[k / 2][r / 2][k & 1] = rows r and r + 1 of pixel k as lanes, low + 2^16 * high;
 * an odd number of pixels begins with k = 1. In place of sums[row]: how sums of 32 bits and of the
 * high lanes start, with TT_LANES (tt_swar.h) taken off for each two pixels. */
void tt_add_lanes(tt_columns *t);
#endif

/* For tt_take_rows: n pixels of 6 or 4 rows, and what they add up to, as in tt_columns. take_rows.S knows the
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
