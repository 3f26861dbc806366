/* Mantissas where a clip mask keeps them. */
#include "tt_gradient.h"

uint32_t tt_clip_mantissas(
    const tt_mantissa *from, const uint8_t *clip, tt_mantissa *to, int32_t bytes) {
    uint32_t seen = 0;
    for (; bytes > 0; bytes--, clip++, from += 8, to += 8) {
        uint32_t bits = *clip;
        for (int32_t i = 0; i < 8; i++, bits >>= 1) {
            int32_t kept = from[i] & -(int32_t)(bits & 1u);
            to[i] = (tt_mantissa)kept;
            seen |= (uint32_t)(kept ^ (kept >> 31));
        }
    }
    return seen;
}
