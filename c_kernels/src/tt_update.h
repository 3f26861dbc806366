/* The update of trained parameters: subtract rate * gradient, keep what is below one integer. */
#ifndef TT_UPDATE_H
#define TT_UPDATE_H

#include "tt_arithmetic.h"

/* How the sums of one output channel become updates in units of 2^-TT_FRACTION_BITS:
 * delta = floor(sum * mantissa / 2^shift + dither), dither in [0, 1), mantissa < 2^15. */
typedef struct {
    uint32_t mantissa;
    int32_t shift;
} tt_step;

/* Combine the learning rate, the channel's constant and the exponent of the sums. */
tt_step tt_step_of(const tt_rate *rate, uint32_t mantissa, int32_t exponent);

/* The update of one parameter; advances the dither. |delta| <= 2^28. */
int32_t tt_delta(tt_rate *rate, tt_step step, int32_t sum);

/* w -= delta for an int8 weight and its fraction; saturates at +-127, if it moves. */
static inline void tt_update_weight(int32_t delta, int8_t *w, int8_t *fraction) {
    if (delta == 0) {
        return;
    }
    int32_t rest = *fraction - delta;
    int32_t carry = (rest + (1 << (TT_FRACTION_BITS - 1))) >> TT_FRACTION_BITS;
    int32_t value = *w + carry;
    rest -= carry * (1 << TT_FRACTION_BITS);
    if (value > 127 || value < -127) {
        value = value > 127 ? 127 : -127;
        rest = 0;
    }
    *w = (int8_t)value;
    *fraction = (int8_t)rest;
}

#endif
