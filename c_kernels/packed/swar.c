/* Requantization in one multiplication, and what it cannot decide. */
#include "tt_swar.h"

int32_t tt_swar_exact(const tt_swar_job *job, int32_t channel, int32_t sum) {
    const tt_conv2d *p = job->p;
    int32_t v = tt_wrap_add(
        tt_requantize_s32(sum, job->multiplier[channel], job->shift[channel]), p->out_zero);
    int32_t y = tt_min(tt_max(v, p->low), p->high);
    return (y & 255) | (y == v ? 0 : 256);
}

/* With n = -shift, real = sum * m / 2^(31 + n); m = M * 2^16 + l, |l| <= 2^15; a = (sum * 2^6 - r) / 2^n,
 * 0 <= r < 2^n, 0 for n <= 6. In units of 2^-21, a * M differs from real by
 *     r * M / 2^n + a * l / 2^16,  in [-2^14, M + 2^14) for |a| <= 2^15,
 * and the reference, which rounds twice unless n = 0, by 2^(20 - n) more before its last rounding. One unit
 * on each side keeps ties out. |a * M| <= 2^30 and |out_zero| * 2^21 <= 2^28: nothing leaves 32 bits.
 * If a does not fit int16, |real| >= 256, which every clamp to int8 saturates. */
static tt_swar_scale scale_of(const tt_conv2d *p, int32_t multiplier, int32_t shift) {
    tt_swar_scale undecided = {31, 0, (1 << TT_UNIT) - 1, UINT32_MAX};
    if (shift > 0 || multiplier < (1 << 30) || p->low != -128 || p->high != 127) {
        return undecided;
    }
    int32_t twice = shift == 0    ? 0
                    : shift < -20 ? 1
                                  : 1 << (20 + shift); /* of the first rounding */
    int32_t rounded = (multiplier >> 16) + ((multiplier >> 15) & 1);
    int32_t below = (1 << 14) + twice + 1;
    tt_swar_scale scale = {
        -shift,
        rounded,
        p->out_zero * (1 << TT_UNIT) + (1 << (TT_UNIT - 1)) - below,
        (uint32_t)(2 * below + (shift >= -TT_SUM_UP ? 0 : rounded)) << (32 - TT_UNIT),
    };
    return scale;
}

/* |x - in_zero| <= 255, |w| <= 128, so |sum| * 2^6 < 2^31 for depths and biases up to these. */
#define MOST_DEPTH 768
#define MOST_BIAS (1 << 23)

void tt_swar_scales(tt_swar_group *group, const tt_conv2d *p, const int32_t *multiplier,
    const int8_t *shift, const int32_t *bias, int32_t depth, int32_t n) {
    for (int32_t c = 0; c < n; c++) {
        int32_t b = bias != NULL ? bias[c] : 0;
        int small = depth <= MOST_DEPTH && b <= MOST_BIAS && b >= -MOST_BIAS;
        group->scales[c] = scale_of(p, multiplier[c], small ? shift[c] : 1);
    }
}

int32_t tt_swar_too_small(const int8_t *w, int32_t n) {
    for (; n > 0 && ((uintptr_t)w & 3u) != 0u; n--) {
        if (*w++ == -128) {
            return 1;
        }
    }
    for (; n >= 4; n -= 4, w += 4) { /* a byte of v is zero where one of w is -128 */
        uint32_t v = *(const uint32_t *)(const void *)w ^ 0x80808080u;
        if (((v - 0x01010101u) & ~v & 0x80808080u) != 0u) {
            return 1;
        }
    }
    for (; n > 0; n--) {
        if (*w++ == -128) {
            return 1;
        }
    }
    return 0;
}
