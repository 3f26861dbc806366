/* The inner loop of the gradients of a single pixel: eight sums in registers. */
#include "tt_tile.h"

#define COLUMNS 8

/* The sums of n <= COLUMNS columns; both are known to the compiler. */
static inline __attribute__((always_inline)) void gradient_columns(
    const int32_t *f, const int32_t *end, const int8_t *w, int32_t n, int32_t *sums) {
    int32_t s[COLUMNS] = {0};
    for (; f != end; f += 2) {
        const int8_t *row = w + f[1];
#pragma GCC unroll 8
        for (int32_t c = 0; c < n; c++) {
            s[c] += f[0] * row[c];
        }
    }
#pragma GCC unroll 8
    for (int32_t c = 0; c < n; c++) {
        sums[c] = s[c];
    }
}

void tt_gradient_row(
    const int32_t *factors, int32_t n, const int8_t *w, int32_t quads, int32_t *sums) {
    const int32_t *end = factors + 2 * n;
    for (; quads > 1; quads -= 2, w += COLUMNS, sums += COLUMNS) {
        gradient_columns(factors, end, w, COLUMNS, sums);
    }
    if (quads > 0) {
        gradient_columns(factors, end, w, 4, sums);
    }
}
