/* Some channels of an array, for layers that are trained in part. */
#include "tt_channels.h"

void tt_take_channels_s8(const tt_channels *p, const int16_t *index, const int8_t *x, int8_t *y) {
    for (int32_t row = 0; row < p->rows; row++, x += p->channels) {
        for (int32_t i = 0; i < p->taken; i++) {
            *y++ = x[tt_channel_of(index, i)];
        }
    }
}

void tt_take_channels_grad(
    const tt_channels *p, const int16_t *index, const tt_grad *dy, tt_grad *dx) {
    const tt_mantissa *from = dy->mantissa;
    tt_mantissa *to = dx->mantissa;
    dx->exponent = dy->exponent;
    for (int32_t row = 0; row < p->rows; row++, from += p->channels) {
        for (int32_t i = 0; i < p->taken; i++) {
            *to++ = from[tt_channel_of(index, i)];
        }
    }
}

void tt_merge_channels_s8(
    const tt_channels *p, const int16_t *index, const int8_t *x, const int8_t *trained, int8_t *y) {
    for (int32_t row = 0; row < p->rows; row++, y += p->channels) {
        for (int32_t i = 0; i < p->channels; i++) {
            y[i] = *x++;
        }
        for (int32_t i = 0; i < p->taken; i++) {
            y[tt_channel_of(index, i)] = *trained++;
        }
    }
}
