/* Factors of tiles: of full ones in assembly. */
#include "tt_columns.h"

void tt_scale_pixels(const tt_conv2d_bwd_input_params *p, const tt_tile *tile,
    const tt_mantissa *dy, const uint16_t *scale, int32_t *g) {
    if (tile->filled == tile->rows) {
        tt_scaling s = {tile->rows, tile->n, p->headroom};
        tt_scale_rows(dy, scale, g, &s);
    } else {
        tt_scale_pixels_plain(p, tile, dy, scale, g);
    }
}
