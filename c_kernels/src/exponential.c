/* Rows of values for the softmax. */
#include "tt_exponential.h"
#include "tt_gradient.h"

void tt_exponentials(int32_t *x, int32_t n, int32_t largest, tt_sum64 *sum) {
    uint32_t low = 0, high = 0;
    for (int32_t c = 0; c < n; c++) {
        x[c] = tt_exp_minus(largest - x[c]);
        low += (uint32_t)x[c];
        high += low < (uint32_t)x[c];
    }
    sum->low = low;
    sum->high = high;
}

int32_t tt_probabilities(const int32_t *exps, int32_t n, uint32_t reciprocal, int32_t powers,
    int32_t shift, tt_mantissa *m) {
    int32_t sum = 0;
    for (int32_t c = 0; c < n; c++) {
        int32_t probability = tt_mul_shift16(exps[c], reciprocal) >> powers;
        sum += probability;
        m[c] = tt_grad_cut(probability, c, 0, shift);
    }
    return sum;
}
