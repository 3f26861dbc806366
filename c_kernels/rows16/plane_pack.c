/* Rows of one channel of a map to rows of int16: element j is v[j] of tt_plane_rows. */
#include "tt_plane.h"

#if defined(__riscv)
#define UNROLLED _Pragma("GCC unroll 4")
#else
#define UNROLLED
#endif

void tt_plane_pack(const tt_plane_rows *rows, const int8_t *x, int32_t n, uint32_t *to) {
    int32_t step = rows->x_step, count = rows->before + rows->words;
    int16_t *row = (int16_t *)(void *)(to - rows->first);
    row += rows->first + rows->stride - rows->before;
    for (; n > 0; n--, x += rows->x_row, row += rows->row_step >> 1) {
        const int8_t *v = x;
        int16_t *element = row;
        UNROLLED
        for (int32_t i = count; i > 0; i--, v += step) {
            *element++ = *v;
        }
    }
}
