/* The update of a fully connected layer: its gradients are products. */
#include "tt_update.h"

void tt_update_products(tt_rate *rate, tt_step step, int32_t g, int32_t zero, const int8_t *x,
    int32_t n, int8_t *w, int8_t *fraction) {
    if (!tt_divides(step)) {
        for (int32_t i = 0; i < n; i++) {
            int32_t sum = TT_ASSERT_RANGE((tt_wide)g * (x[i] - zero));
            tt_update_weight(tt_delta(rate, step, sum), w + i, fraction + i);
        }
        return;
    }
    tt_divider divider = tt_divider_of(step);
    uint32_t dither = rate->dither;
    for (int32_t i = 0; i < n; i++) {
        int32_t sum = TT_ASSERT_RANGE((tt_wide)g * (x[i] - zero));
        dither += TT_DITHER_STEP;
        tt_update_weight(tt_divided(&divider, sum, dither), w + i, fraction + i);
    }
    rate->dither = dither;
}
