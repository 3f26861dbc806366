/* Gradients of outputs as factors of tiles for MAC16: [n / TT_BLOCK][row][TT_BLOCK] int16; the last block may
 * be shorter, but for zeros up to a multiple of 4. */
#include "tt_mac16_tile.h"
#include "tt_tile.h"

void tt_scale_pixels(const tt_conv2d_bwd_input_params *p, const tt_tile *tile,
    const tt_mantissa *dy, const uint16_t *scale, int32_t *g) {
    int32_t one = 1 << p->headroom;
    int16_t *to = (int16_t *)(void *)g;
    for (int32_t from = 0; from < tile->n; from += TT_BLOCK) {
        int32_t n = tt_min(TT_BLOCK, tile->n - from);
        for (int32_t r = 0; r < tile->filled; r++) {
            const tt_mantissa *v = dy + r * tile->n + from;
            for (int32_t o = 0; o < n; o++) {
                *to++ = (int16_t)tt_real_gradient(*v++, one, scale[from + o]);
            }
            for (int32_t o = n; (o & 3) != 0 && tile->n > 1; o++) { /* there is room but for one */
                *to++ = 0;
            }
        }
    }
}
