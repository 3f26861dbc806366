/* Gradients of outputs as factors of tiles. */
#include "tt_tile.h"

void tt_scale_pixels_plain(const tt_conv2d_bwd_input_params *p, const tt_tile *tile,
    const tt_mantissa *dy, const uint16_t *scale, int32_t *g) {
    int32_t one = 1 << p->headroom, n = tile->n, rows = tile->rows;
    for (int32_t r = 0; r < rows; r++, g++) {
        int32_t *to = g, filled = r < tile->filled;
        for (int32_t o = 0; o < n; o++, to += rows) {
            *to = filled ? tt_real_gradient(*dy++, one, scale[o]) : 0;
        }
    }
}
