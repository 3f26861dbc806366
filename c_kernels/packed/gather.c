/* Elements of one channel of a map to words in C. */
#include "tt_slide.h"

#if defined(__riscv)
#define UNROLLED _Pragma("GCC unroll 2")
#else
#define UNROLLED
#endif

static int32_t *zeros(int32_t *to, int32_t n) {
    for (; n > 0; n--) {
        *to++ = 0;
    }
    return to;
}

void tt_gather_gradient(const tt_gather *g, const tt_mantissa *from, int32_t *to) {
    int32_t step = g->step / (int32_t)sizeof(tt_mantissa), one = 1 << g->operand;
    int32_t row_step = g->row_step / (int32_t)sizeof(tt_mantissa);
    for (int32_t rows = g->rows; rows > 0; rows--, from += row_step) {
        const tt_mantissa *v = from;
        UNROLLED
        for (int32_t n = g->columns; n > 0; n--, v += step) {
            *to++ = *v * one;
        }
        to += g->skip >> 2;
    }
}

void tt_gather_input(const tt_gather *g, const int8_t *from, int32_t *to) {
    int32_t step = g->step, zero = g->operand;
    for (int32_t rows = g->rows; rows > 0; rows--, from += g->row_step) {
        const int8_t *v = from;
        to = zeros(to, g->before);
        UNROLLED
        for (int32_t n = g->columns; n > 0; n--, v += step) {
            *to++ = *v - zero;
        }
        to = zeros(to, g->after) + (g->skip >> 2);
    }
}
