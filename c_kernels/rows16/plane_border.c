/* Two zero points in a row of int16. */
#include "tt_plane.h"

uint32_t tt_plane_border(int32_t zero) {
    return ((uint32_t)zero << 16) | ((uint32_t)zero & 0xffffu);
}
