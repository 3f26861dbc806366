/* How much scratch the kernels with variants for a target ask for. No target replaces this file:
 * the memory plan is the same everywhere. */
#include "tt_packing.h"

int32_t tt_conv2d_s8_scratch(const tt_conv2d *p) {
    return tt_packing_bytes(tt_packing_of(&p->window));
}

int32_t tt_depthwise_conv2d_s8_scratch(const tt_conv2d *p) {
    return tt_plane_bytes(tt_plane_of(&p->window), p->window.kernel_h);
}
