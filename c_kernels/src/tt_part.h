/* Doing a part of a kernel's work; tt_part in tinytrain_kernels.h says what that means. */
#ifndef TT_PART_H
#define TT_PART_H

#include "tt_arithmetic.h"

/* Pieces first <= i < last. */
typedef struct {
    int32_t first, last;
} tt_span;

/* The pieces of `total` that are to be done now; the part goes on behind them. */
static inline tt_span tt_part_take(tt_part *part, int32_t total) {
    tt_span span = {0, total};
    if (part != NULL) {
        span.first = part->at;
        part->at = 0;
        if (part->units < total - span.first) {
            part->at = span.last = span.first + part->units;
        }
    }
    return span;
}

/* The channels of a map of one pixel, four in a piece: first <= i < last. */
static inline tt_span tt_channels_take(tt_part *part, int32_t channels) {
    tt_span span = tt_part_take(part, (channels + 3) >> 2);
    span.first *= 4;
    span.last = tt_min(span.last * 4, channels);
    return span;
}

#endif
