/* Copying windows, row by row. */
#include "tt_swar.h"

void tt_copy_rows(
    int8_t *to, int32_t to_step, const int8_t *from, int32_t from_step, int32_t n, int32_t rows) {
    for (; rows > 0; rows--) {
        int32_t i = 0;
#if defined(__ARM_FEATURE_UNALIGNED)
        for (; i + 4 <= n; i += 4) {
            __builtin_memcpy(to + i, from + i, 4);
        }
#endif
        for (; i < n; i++) {
            to[i] = from[i];
        }
        to += to_step;
        from += from_step;
    }
}
