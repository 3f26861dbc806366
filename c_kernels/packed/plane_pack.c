/* Rows of one channel of a map to words of two inputs, in C. */
#include "tt_plane.h"

/* Inputs that wait for the one that goes into the high half of their word: `first` is the next. */
typedef struct {
    int32_t first, second;
} waiting;

static inline const int8_t *take(waiting *w, int32_t stride, const int8_t *x, int32_t step) {
    w->first = w->second;
    w->second = *x;
    w->first = stride == 1 ? w->second : w->first;
    return x + step;
}

void tt_plane_pack(const tt_plane_rows *rows, const int8_t *x, int32_t n, uint32_t *to) {
    int32_t step = rows->x_step, zero = rows->zero;
    for (; n > 0; n--, x += rows->x_row, to += rows->row_step >> 2) {
        const int8_t *v = x;
        uint32_t *word = to;
        waiting w = {zero, zero};
        for (int32_t i = rows->before; i > 0; i--) {
            v = take(&w, rows->stride, v, step);
        }
        uint32_t a = (uint32_t)w.first, b = (uint32_t)w.second;
        int32_t left = rows->words;
        for (; left >= 2; left -= 2, word += 2) { /* the next two words */
            uint32_t c = (uint32_t)v[0], d = (uint32_t)v[step];
            v += 2 * step;
            word[0] = (c << 16) + a;
            word[1] = (d << 16) + (rows->stride == 1 ? c : b);
            a = rows->stride == 1 ? d : c;
            b = d;
        }
        if (left > 0) {
            uint32_t c = (uint32_t)*v;
            *word++ = (c << 16) + a;
            a = rows->stride == 1 ? c : b;
            b = c;
        }
        for (int32_t i = rows->after; i > 0; i--) {
            *word++ = ((uint32_t)zero << 16) + a;
            a = b;
        }
    }
}
