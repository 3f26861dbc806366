/* The inner loop of weight gradients. */
#include "tt_square.h"
#include "tt_weight_tile.h"

void tt_weight_columns(const tt_weight_tile *t, const int8_t *x, int32_t n) {
    tt_square_sums(t->scratch, x, t->x_step, n, t->columns, t->sums, t->columns, 1);
}
