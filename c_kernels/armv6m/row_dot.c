/* Four output channels of a fully connected layer, by words of four weights.
 *
 * Let u = w + 128 be the bytes of such a word with its sign bits flipped, v. As
 * u[i] = (v >> 8 i) - 256 * (v >> 8 (i + 1)), modulo 2^32
 *     sum of x[i] * u[i] = sum of (v >> 8 i) * (x[i] - 256 * x[i - 1]), x[-1] = 0,
 * so that no byte has to be taken out of the word. */
#include "tt_plain.h"

/* sums[r] += sum over k of words[k] * (v >> 8 * (k & 3)), v being the word with w[r * n + k], r < 4. */
void tt_dot_words(const int32_t *words, const int8_t *w, int32_t n, int32_t *sums);

void tt_row_prepare(tt_row *row, int32_t *words) {
    const int8_t *x = row->x;
    int32_t zero = row->zero, sum = 0;
    row->words = words;
    for (int32_t k = row->n; k > 0; k -= 4, x += 4, words += 4) {
        int32_t a = x[0] - zero, b = x[1] - zero, c = x[2] - zero, d = x[3] - zero;
        words[0] = a;
        words[1] = b - 256 * a;
        words[2] = c - 256 * b;
        words[3] = d - 256 * c;
        sum += a + b + c + d;
    }
    row->start = -128 * sum;
}

void tt_row_dot_4(const tt_row *row, const int8_t *w, int32_t *sums) {
    if (row->words == NULL) {
        tt_dot_4(row->x, w, row->n, row->n, -row->zero, sums);
        return;
    }
    for (int32_t i = 0; i < 4; i++) {
        sums[i] = tt_wrap_add(sums[i], row->start);
    }
    tt_dot_words(row->words, w, row->n, sums);
}
