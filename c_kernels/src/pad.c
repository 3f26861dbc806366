/* A border around a map: forward and backward. */
#include "tt_gradient.h"

void tt_pad_s8(const tt_pad *p, const int8_t *x, int8_t *y) {
    for (int32_t row = -p->pad_top; row < p->out_h - p->pad_top; row++) {
        for (int32_t column = -p->pad_left; column < p->out_w - p->pad_left; column++) {
            int inside = row >= 0 && row < p->in_h && column >= 0 && column < p->in_w;
            for (int32_t c = 0; c < p->channels; c++) {
                *y++ = inside ? *x++ : (int8_t)p->value;
            }
        }
    }
}

void tt_pad_bwd(const tt_pad_bwd_params *p, const tt_grad *dy, tt_grad *dx, tt_part *part) {
    const tt_pad *pad = &p->pad;
    tt_span span = tt_part_take(part, pad->in_h);
    tt_grad_writer writer = tt_grad_resume(dx, p->limit, dy->exponent, part);
    const tt_mantissa *g =
        dy->mantissa + ((span.first + pad->pad_top) * pad->out_w + pad->pad_left) * pad->channels;
    for (int32_t row = span.first; row < span.last; row++) {
        for (int32_t i = 0; i < pad->in_w * pad->channels; i++) {
            tt_grad_push_one(&writer, g[i]);
        }
        g += pad->out_w * pad->channels;
    }
    tt_grad_pause(&writer, part);
}
