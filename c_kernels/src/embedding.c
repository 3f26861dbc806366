/* Rows of a table chosen by indices, and the update of the rows that were. */
#include <stdbool.h>

#include "tt_optimizer.h"
#include "tt_part.h"

void tt_embedding_s8(const tt_embedding *p, const int32_t *x, const int8_t *w, int8_t *y) {
    for (int32_t n = 0; n < p->count; n++) {
        const int8_t *row = w + x[n] * p->depth;
        for (int32_t i = 0; i < p->depth; i++) {
            *y++ = row[i];
        }
    }
}

int32_t tt_embedding_bwd_weight_scratch(const tt_embedding *p) {
    return 4 * p->depth;
}

/* Whether one of the first n indices is that row. */
static bool is_among(const int32_t *x, int32_t n, int32_t row) {
    for (int32_t i = 0; i < n; i++) {
        if (x[i] == row) {
            return true;
        }
    }
    return false;
}

/* d[depth] = the sum of dy over the positions with the index of position `first`, which has none
 * of them before it. */
static void sum_row(
    const tt_embedding *p, const tt_grad *dy, const int32_t *x, int32_t first, int32_t *d) {
    const tt_mantissa *g = dy->mantissa + first * p->depth;
    for (int32_t i = 0; i < p->depth; i++) {
        d[i] = *g++;
    }
    for (int32_t n = first + 1; n < p->count; n++, g += p->depth) {
        for (int32_t i = 0; x[n] == x[first] && i < p->depth; i++) {
            d[i] = TT_ASSERT_RANGE((tt_wide)d[i] + g[i]);
        }
    }
}

void tt_embedding_bwd_weight(const tt_embedding *p, const tt_grad *dy, const int32_t *x,
    tt_rate *rate, const uint16_t *step_mantissa, const int8_t *step_exponent, int8_t *w,
    int8_t *fraction, int32_t *d, tt_part *part) {
    tt_span span = tt_part_take(part, p->count);
    for (int32_t i = 0; rate == NULL && span.first == 0 && i < p->rows * p->depth; i++) {
        d[i] = 0;
    }
    for (int32_t n = span.first; n < span.last; n++) {
        int32_t at = x[n] * p->depth;
        if (is_among(x, n, x[n])) {
            continue;
        }
        sum_row(p, dy, x, n, rate == NULL ? d + at : d);
        if (rate != NULL) {
            tt_step step = tt_step_of(rate, step_mantissa[0], step_exponent[0] + dy->exponent);
            tt_update_weights(rate, step, d, p->depth, w + at, fraction + at);
        }
    }
}

/* Rows that x does not choose move too, if they have a velocity. */
void tt_embedding_bwd_weight__optimizer(const tt_embedding_train_params *params, const tt_grad *dy,
    const int32_t *x, tt_rate *rate, const uint16_t *step_mantissa, const int8_t *step_exponent,
    int8_t *w, uint8_t *fraction, int16_t *velocity, int32_t *d, tt_part *part) {
    const tt_embedding *p = &params->gradient;
    tt_trained one_row = params->trained;
    one_row.groups = 1;
    one_row.row_step = p->depth;
    tt_factor factor = {step_mantissa[0], step_exponent[0] + dy->exponent};
    tt_span span = tt_part_take(part, p->count + (velocity != NULL ? p->rows : 0));
    for (int32_t piece = span.first; piece < span.last; piece++) {
        bool chosen = piece < p->count;
        int32_t row = chosen ? x[piece] : piece - p->count;
        if (is_among(x, chosen ? piece : p->count, row)) {
            continue;
        }
        if (chosen) {
            sum_row(p, dy, x, piece, d);
        } else {
            for (int32_t i = 0; i < p->depth; i++) {
                d[i] = 0;
            }
        }
        tt_optimize_weights(&one_row, rate, rate, factor, row, d, w, fraction, velocity);
    }
}

void tt_embedding_bwd_weight__batch(const tt_embedding_train_params *params, const tt_grad *dy,
    const int32_t *x, tt_rate *rate, const uint16_t *step_mantissa, const int8_t *step_exponent,
    int8_t *w, uint8_t *fraction, int16_t *velocity, tt_sums *sums, int32_t *d, tt_part *part) {
    if (!rate->accumulate) {
        tt_embedding_bwd_weight__optimizer(
            params, dy, x, rate, step_mantissa, step_exponent, w, fraction, velocity, d, part);
        return;
    }
    const tt_embedding *p = &params->gradient;
    tt_span span = tt_part_take(part, p->count);
    for (int32_t n = span.first; n < span.last; n++) {
        if (!is_among(x, n, x[n])) {
            sum_row(p, dy, x, n, d);
            tt_accumulate(
                sums, p->rows * p->depth, rate, d, x[n] * p->depth, p->depth, dy->exponent);
        }
    }
}
