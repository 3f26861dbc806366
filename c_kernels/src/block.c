/* Blocks of a map, for layers that are computed part by part. */
#include "tt_arithmetic.h"

/* The part of a block inside the map: rows [top, bottom), columns [left, right) of the block, and
 * the element of the map where it begins. */
typedef struct {
    int32_t top, bottom, left, right;
    int32_t map;
} overlap;

static overlap overlap_of(const tt_block *p, int32_t top, int32_t left) {
    overlap in = {tt_max(0, -top), tt_min(p->rows, p->map_h - top), tt_max(0, -left),
        tt_min(p->columns, p->map_w - left), 0};
    in.map = ((top + in.top) * p->map_w + left + in.left) * p->channels;
    return in;
}

static int8_t *copy(int8_t *to, const int8_t *from, int32_t n) {
    while (n-- > 0) {
        *to++ = *from++;
    }
    return to;
}

static int8_t *fill(int8_t *to, int32_t value, int32_t n) {
    while (n-- > 0) {
        *to++ = (int8_t)value;
    }
    return to;
}

/* Go through block y: fill what is outside; inside, copy from x, or leave it if x is NULL. */
static void cover(const tt_block *p, overlap in, const int8_t *x, int8_t *y) {
    int32_t width = (in.right - in.left) * p->channels;
    for (int32_t row = 0; row < p->rows; row++) {
        if (row < in.top || row >= in.bottom || width <= 0) {
            y = fill(y, p->value, p->columns * p->channels);
            continue;
        }
        y = fill(y, p->value, in.left * p->channels);
        if (x != NULL) {
            copy(y, x, width);
            x += p->map_w * p->channels;
        }
        y = fill(y + width, p->value, (p->columns - in.right) * p->channels);
    }
}

void tt_crop_s8(const tt_block *p, int32_t top, int32_t left, const int8_t *x, int8_t *y) {
    overlap in = overlap_of(p, top, left);
    cover(p, in, x + in.map, y);
}

void tt_border_s8(const tt_block *p, int32_t top, int32_t left, int8_t *y) {
    cover(p, overlap_of(p, top, left), NULL, y);
}

void tt_paste_s8(const tt_block *p, int32_t top, int32_t left, const int8_t *x, int8_t *y) {
    overlap in = overlap_of(p, top, left);
    int32_t width = (in.right - in.left) * p->channels;
    x += (in.top * p->columns + in.left) * p->channels;
    y += in.map;
    for (int32_t row = in.top; row < in.bottom; row++) {
        copy(y, x, width);
        x += p->columns * p->channels;
        y += p->map_w * p->channels;
    }
}
