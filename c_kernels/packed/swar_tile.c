/* Two output channels in one multiplication, in C: tt_swar.h says what the tiles compute. */
#include "tt_swar.h"

#define INLINE static inline __attribute__((always_inline))

/* The sums of one pixel: T and H of each pair, as armv6m/swar_tile.S forms them. */
INLINE void sums_of(
    const int8_t *x, const int8_t *end, const tt_swar_group *group, int32_t pairs, int32_t *sums) {
    const uint32_t *w = group->weights;
    uint32_t t0 = (uint32_t)group->starts[0], t1 = (uint32_t)group->starts[2];
    uint32_t t2 = (uint32_t)group->starts[4];
    uint32_t h0 = (uint32_t)group->starts[1], h1 = (uint32_t)group->starts[3];
    uint32_t h2 = (uint32_t)group->starts[5];
    do {
        uint32_t a = (uint32_t)x[0], b = (uint32_t)x[1];
        uint32_t p = w[0] * a + w[1] * b + TT_LANES;
        t0 += p;
        h0 += p >> 16;
        if (pairs > 1) {
            p = w[2] * a + w[3] * b + TT_LANES;
            t1 += p;
            h1 += p >> 16;
        }
        if (pairs > 2) {
            p = w[4] * a + w[5] * b + TT_LANES;
            t2 += p;
            h2 += p >> 16;
        }
        w += 2 * pairs;
        x += 2;
    } while (x != end);
    sums[0] = (int32_t)(t0 - (h0 << 16));
    sums[1] = (int32_t)h0;
    if (pairs > 1) {
        sums[2] = (int32_t)(t1 - (h1 << 16));
        sums[3] = (int32_t)h1;
    }
    if (pairs > 2) {
        sums[4] = (int32_t)(t2 - (h2 << 16));
        sums[5] = (int32_t)h2;
    }
}

#include "tt_tile_of_sums.h"
