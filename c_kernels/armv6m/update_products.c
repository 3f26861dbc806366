/* The update of a fully connected layer: constants of a row for the loop in assembly. */
#include "tt_products.h"
#include "tt_swar.h"

#define CHUNK 16

/* The largest n <= 255 with n * g < 2^15. */
static int32_t reach_of(int32_t g) {
    int32_t n = 0;
    for (int32_t bit = 128; bit > 0; bit >>= 1) {
        n += (n + bit) * g < (1 << 15) ? bit : 0;
    }
    return n;
}

/* What the loop does not know: shifts of rates at the ends of what there is, and weights of -128, which
 * saturate once they move. */
static void in_chunks(tt_rate *rate, tt_step step, int32_t g, int32_t zero, const int8_t *x,
    int32_t n, int8_t *w, int8_t *fraction) {
    int32_t sums[CHUNK];
    for (int32_t i = 0; i < n; i += CHUNK) {
        int32_t count = tt_min(CHUNK, n - i);
        for (int32_t k = 0; k < count; k++) {
            sums[k] = g * (x[i + k] - zero);
        }
        tt_update_weights(rate, step, sums, count, w + i, fraction + i);
    }
}

void tt_update_products(tt_rate *rate, tt_step step, int32_t g, int32_t zero, const int8_t *x,
    int32_t n, int8_t *w, int8_t *fraction) {
    int32_t product = g * (int32_t)step.mantissa; /* below 2^30 */
    if (product == 0) {                           /* nothing moves */
        rate->dither += (uint32_t)n * TT_DITHER_STEP;
        return;
    }
    if (step.shift < 16 + 2 || step.shift > 16 + 30 || tt_swar_too_small(w, n)) {
        in_chunks(rate, step, g, zero, x, n, w, fraction);
        return;
    }
    int32_t reach = reach_of(tt_abs(g));
    tt_products p = {
        .dither = rate->dither,
        .reach_zero = reach - zero,
        .span = 2 * reach + 1,
        .reach = -reach,
        .high = product >> 16,
        .low = product & 0xffff,
        .shift = step.shift - 16,
        .product = product,
        .before = tt_max(step.shift - 30, 0),
        .small_shift = tt_min(step.shift, 30),
    };
    if (reach == 255) { /* all are small: z * product / 2^before, not 2^16 */
        p.span = 0;
        p.high = product >> p.before;
        p.low = (int32_t)((uint32_t)product << (16 - p.before) & 0xffffu);
        p.shift = p.small_shift;
    }
    tt_products_loop(&p, x, n, w, fraction);
    rate->dither = p.dither;
}
