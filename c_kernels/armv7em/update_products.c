/* The update of a fully connected layer: its gradients are products. Four weights at a time. */
#include "tt_product_quads.h"
#include "tt_update.h"

#define CHUNK 16

/* By the exact rule. */
static void by_sums(tt_rate *rate, tt_step step, int32_t g, int32_t zero, const int8_t *x,
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

/* With P = (x - zero) * product and s the step's shift, tt_delta_at is floor(P / 2^s + u / 2^32), u being the
 * dither without bits that it may cut off, less than 2^(48 - s), or 4. P / 2^s is, in units of 2^-32, less than 255 away
 * from (x - zero) times `factor`, product * 2^(32 - s) without its fraction. So with the sum of both taken
 * off the dither, the loop's sum is at most twice as much too small. |factor| < 2^31: |delta| <= 128. */
static int takes_quads(tt_step step, int32_t product) {
    int32_t s = step.shift;
    return s >= 22 && s <= 61 && (s >= 32 || tt_abs(product) >> (s - 1) == 0);
}

void tt_update_products(tt_rate *rate, tt_step step, int32_t g, int32_t zero, const int8_t *x,
    int32_t n, int8_t *w, int8_t *fraction) {
    int32_t product = g * (int32_t)step.mantissa, s = step.shift; /* below 2^30 */
    if (product == 0) {                                           /* nothing moves */
        rate->dither += (uint32_t)n * TT_DITHER_STEP;
        return;
    }
    const int8_t *end = x + n;
    if (takes_quads(step, product)) {
        uint32_t below = 255u + (1u << tt_max(48 - s, 2));
        int32_t factor = s < 32 ? product * (1 << (32 - s)) : product >> (s - 32);
        tt_product_quads_of q = {rate->dither, TT_DITHER_STEP, factor, -zero, 0u - 2u * below, x,
            x + (n & ~3), below, (uintptr_t)w - (uintptr_t)x, (uintptr_t)fraction - (uintptr_t)x};
        for (tt_product_quads(&q); q.x != q.x_end; tt_product_quads(&q)) {
            rate->dither = q.dither;
            by_sums(rate, step, g, zero, q.x, 4, w + (q.x - x), fraction + (q.x - x));
            q.dither = rate->dither;
            q.x += 4;
        }
        rate->dither = q.dither;
        w += q.x - x;
        fraction += q.x - x;
        x = q.x;
    }
    by_sums(rate, step, g, zero, x, (int32_t)(end - x), w, fraction);
}
