/* Fully connected layers of a single row. */
#include "tt_packing.h"
#include "tt_plain.h"

#define BLOCK 16 /* sums on the stack; a multiple of 4 */

/* The sums of n output channels. */
static void sums_of(
    const tt_row *row, const int8_t *w, const int32_t *bias, int32_t n, int32_t *sums) {
    for (int32_t o = 0; o < n; o++) {
        sums[o] = bias != NULL ? bias[o] : 0;
    }
    int32_t o = 0;
    for (; o + 3 < n; o += 4) {
        tt_row_dot_4(row, w + o * row->n, sums + o);
    }
    for (; o + 1 < n; o += 2) {
        tt_dot_2(row->x, w + o * row->n, row->n, row->n, -row->zero, sums + o);
    }
    if (o < n) { /* the last one twice */
        int32_t both[2] = {sums[o], 0};
        tt_dot_2(row->x, w + o * row->n, row->n, 0, -row->zero, both);
        sums[o] = both[0];
    }
}

void tt_fully_connected_s32(
    const tt_conv2d *p, const int8_t *x, const int8_t *w, const int32_t *bias, int32_t *y) {
    tt_row row = {x, p->window.in_c, p->in_zero, NULL, 0};
    sums_of(&row, w, bias, p->window.out_c, y);
}

void tt_fully_connected_s8(const tt_conv2d *p, const int8_t *x, const int8_t *w,
    const int32_t *bias, const int32_t *multiplier, const int8_t *shift, int8_t *y, uint8_t *clip,
    int32_t *scratch) {
    tt_row row = {x, p->window.in_c, p->in_zero, NULL, 0};
    if (tt_takes_words(&p->window) && ((uintptr_t)w & 3u) == 0u) {
        tt_row_prepare(&row, scratch);
    }
    tt_clip_writer writer = tt_clip_begin(clip);
    int32_t sums[BLOCK];
    for (int32_t o = 0; o < p->window.out_c; o += BLOCK) {
        int32_t n = tt_min(BLOCK, p->window.out_c - o);
        sums_of(&row, w + o * row.n, bias != NULL ? bias + o : NULL, n, sums);
        tt_requantize_row(sums, multiplier + o, shift + o, n, sums);
        for (int32_t i = 0; i < n; i++) {
            *y++ = tt_clamp(tt_wrap_add(sums[i], p->out_zero), p->low, p->high, &writer);
        }
    }
}
