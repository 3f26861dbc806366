/* How much scratch the kernels with variants for a target ask for. No target replaces this file:
 * the memory plan is the same everywhere. */
#include "tt_packing.h"
#include "tt_pairs.h"
#include "tt_windows.h"

int32_t tt_conv2d_s8_scratch(const tt_conv2d *p) {
    const tt_window *w = &p->window;
    int32_t packed = tt_takes_words(w) ? 4 * w->in_c : tt_packing_bytes(tt_packing_of(w));
    return tt_max(packed, tt_pair_bytes(w));
}

int32_t tt_depthwise_conv2d_s8_scratch(const tt_conv2d *p) {
    return tt_max(tt_plane_bytes(&p->window), tt_pair_plane_bytes(&p->window));
}

int32_t tt_conv2d_bwd_input_scratch(const tt_conv2d_bwd_input_params *p) {
    int32_t pixel = 4 * p->window.in_c, packed = 0;
    if (tt_takes_tiles(&p->window)) {
        packed = tt_tile_bytes(p->window.out_c);
    } else if (tt_fully_connected(&p->window)) {
        packed = 8 * ((p->window.out_c + 1) & ~1);
    }
    return tt_max(pixel, packed);
}

int32_t tt_depthwise_conv2d_bwd_input_scratch(const tt_conv2d_bwd_input_params *p) {
    int32_t pixel = 4 * (p->window.in_c + p->window.out_c);
    int32_t packed =
        tt_max(tt_correlation_bytes(&p->window), tt_correlation_pair_bytes(&p->window));
    return tt_max(pixel, packed);
}

int32_t tt_conv2d_bwd_weight_scratch(const tt_conv2d_bwd_weight_params *p) {
    const tt_window *w = &p->window;
    int32_t tiles = tt_takes_tiles(w) ? tt_weight_tile_bytes(w, p->channels) : 0;
    int32_t packed = tt_max(tiles, tt_sum_rows_bytes(w));
    return tt_max(4 * w->kernel_h * w->kernel_w * p->channels, packed);
}

int32_t tt_depthwise_conv2d_bwd_weight_scratch(const tt_conv2d_bwd_weight_params *p) {
    const tt_window *w = &p->window;
    tt_channel_rows k = tt_channel_rows_of(w);
    tt_channel_pairs pairs = tt_channel_pairs_of(p);
    int32_t packed = k.rows == 0 ? 0 : 4 * tt_channel_words(w, k);
    packed = tt_max(packed, pairs.rows == 0 ? 0 : tt_channel_pair_bytes(pairs));
    return 4 * w->kernel_h * w->kernel_w + packed;
}

int32_t tt_softmax_cross_entropy_scratch(const tt_cross_entropy *p) {
    return 4 * p->classes;
}
