/* The reference's two roundings in one multiplication and one shift. */
#include "tt_pair_tile.h"

#define MOST_SUM (1 << 30)
#define MOST_SHIFT 22

/* With S = 2 * sum in 32 bits, SMMLAR gives add + floor((S * m + 2^31) / 2^32), which is add + M(sum, m) as
 * NUMERICS.md has it. Its second rounding is (M + 2^(n-1) - [M < 0]) >> n for n > 0; [sum < 0] serves as
 * well, since they differ only for M = 0, of which both make 0. |M| < 2^30, and with n <= 22 out_zero * 2^n is
 * at most 2^29: nothing leaves 32 bits. A channel without a multiplier, or whose sums cannot reach half a
 * unit, is out_zero. */
int32_t tt_pair_scale_of(const tt_conv2d *p, int32_t taps, int32_t bias, int32_t multiplier,
    int32_t shift, tt_pair_scale *scale) {
    int32_t room = MOST_SUM - taps * 255 * 128, n = -shift; /* taps < 2^14 */
    if (bias >= room || bias <= -room) {
        return 0;
    }
    int32_t most = tt_abs(bias) + taps * 255 * 128;
    if (multiplier == 0 || (n > MOST_SHIFT && most < 1 << (n - 1))) {
        tt_pair_scale nothing = {0, 2 * p->out_zero + 1, 1}; /* whatever the sum's sign */
        *scale = nothing;
        return 1;
    }
    if (n < 1 || n > MOST_SHIFT) {
        return 0;
    }
    tt_pair_scale found = {multiplier, p->out_zero * (1 << n) + (1 << (n - 1)), n};
    *scale = found;
    return 1;
}
