/* Rows of one channel of a map to words of two inputs, in C. */
#include "tt_plane.h"

/* A row: a is the low half of the first word, b that of the second; with a stride of 1 that is the
 * high half of the first. */
static inline __attribute__((always_inline)) void pack_row(const tt_plane_rows *rows,
    const int8_t *x, uint32_t a, uint32_t b, uint32_t *to, int32_t stride) {
    uint32_t zero = (uint32_t)rows->zero;
    int32_t step = rows->x_step, left = rows->words;
    for (; left >= 2; left -= 2, to += 2) {
        uint32_t c = (uint32_t)x[0], d = (uint32_t)x[step];
        x += 2 * step;
        to[0] = (c << 16) + a;
        to[1] = (d << 16) + (stride == 1 ? c : b);
        a = stride == 1 ? d : c;
        b = d;
    }
    if (left > 0) {
        uint32_t c = (uint32_t)*x;
        *to++ = (c << 16) + a;
        a = stride == 1 ? c : b;
        b = c;
    }
    for (int32_t i = rows->after; i > 0; i--) {
        *to++ = (zero << 16) + a;
        a = b;
    }
}

void tt_plane_pack(const tt_plane_rows *rows, const int8_t *x, int32_t n, uint32_t *to) {
    int32_t before = rows->before, step = rows->x_step;
    uint32_t zero = (uint32_t)rows->zero;
    for (; n > 0; n--, x += rows->x_row, to += rows->row_step >> 2) {
        if (rows->stride == 1) {
            uint32_t a = before > 0 ? (uint32_t)*x : zero;
            pack_row(rows, x + before * step, a, a, to, 1);
        } else {
            uint32_t a = before > 1 ? (uint32_t)*x : zero;
            uint32_t b = before > 0 ? (uint32_t)x[(before - 1) * step] : zero;
            pack_row(rows, x + before * step, a, b, to, 2);
        }
    }
}
