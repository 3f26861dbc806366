/* Chosen channels of an array. */
#ifndef TT_CHANNELS_H
#define TT_CHANNELS_H

#include "tt_arithmetic.h"

/* The number of the i-th one; without an index they are the first. */
static inline int32_t tt_channel_of(const int16_t *index, int32_t i) {
    return index == NULL ? i : index[i];
}

#endif
