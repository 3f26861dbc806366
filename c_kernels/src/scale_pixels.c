/* Factors of tiles: the entry for targets without a variant. */
#include "tt_tile.h"

void tt_scale_pixels(const tt_conv2d_bwd_input_params *p, const tt_tile *tile,
    const tt_mantissa *dy, const uint16_t *scale, int32_t *g) {
    tt_scale_pixels_plain(p, tile, dy, scale, g);
}
