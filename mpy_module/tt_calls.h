/* How generated code keeps its kernel calls: as tables of bytes, a third of what code for them takes.
 *
 * A call is a byte that says which kernel, a byte with the number of arguments, and 3 bytes for each
 * argument: 3 bits say what it is relative to, 21 bits are an offset or a signed number. Models of more
 * than 2 MB have TT_WIDE_CALLS 1: 4 bytes, 29 bits. */
#ifndef TT_CALLS_H
#define TT_CALLS_H

#include <stddef.h>
#include <stdint.h>

enum {
    TT_IN_WEIGHTS,
    TT_IN_STATE,
    TT_IN_ARENA,
    TT_IN_PARAMS,
    TT_IN_RUN,
    TT_IN_LABEL, /* what the run has of these is the argument itself */
    TT_IN_TARGET,
    TT_NUMBER
};

#define TT_BYTE(n, shift) (uint8_t)(((uint32_t)(n) >> (shift)) & 255u)
#define TT_LAST_BYTE(place, n, shift)                                                              \
    (uint8_t)((uint32_t)(place) << 5 | (((uint32_t)(n) >> (shift)) & 31u))
#if TT_WIDE_CALLS
#define TT_ARGUMENT_BYTES 4
#define TT_ARGUMENT(place, n)                                                                      \
    TT_BYTE(n, 0), TT_BYTE(n, 8), TT_BYTE(n, 16), TT_LAST_BYTE(place, n, 24)
#else
#define TT_ARGUMENT_BYTES 3
#define TT_ARGUMENT(place, n) TT_BYTE(n, 0), TT_BYTE(n, 8), TT_LAST_BYTE(place, n, 16)
#endif
#define TT_WEIGHTS(offset) TT_ARGUMENT(TT_IN_WEIGHTS, offset)
#define TT_STATE(offset) TT_ARGUMENT(TT_IN_STATE, offset)
#define TT_ARENA(offset) TT_ARGUMENT(TT_IN_ARENA, offset)
#define TT_PARAMS(member) TT_ARGUMENT(TT_IN_PARAMS, offsetof(tt_params, member))
#define TT_RUN(member) TT_ARGUMENT(TT_IN_RUN, offsetof(tt_run, member))
#define TT_LABEL TT_ARGUMENT(TT_IN_LABEL, 0)
#define TT_TARGET TT_ARGUMENT(TT_IN_TARGET, 0)
#define TT_INTEGER(n) TT_ARGUMENT(TT_NUMBER, n)

/* What offsets are relative to, by TT_IN_...; in a prediction there is no run. */
typedef struct {
    uintptr_t base[TT_NUMBER];
} tt_places;

/* The arguments of a call as words: addresses, or integers with their sign. */
static inline void tt_arguments(const uint8_t *call, const tt_places *at, uintptr_t *to) {
    const uint32_t sign = 16u << 8 * (TT_ARGUMENT_BYTES - 1);
    uint32_t count = call[1];
    call += 2;
    for (; count > 0u; count--, call += TT_ARGUMENT_BYTES) {
        uint32_t last = call[TT_ARGUMENT_BYTES - 1], n = last & 31u;
        for (int32_t i = TT_ARGUMENT_BYTES - 2; i >= 0; i--) {
            n = n << 8 | call[i];
        }
        if (last >> 5 == TT_NUMBER) {
            *to++ = (uintptr_t)(intptr_t)((int32_t)(n ^ sign) - (int32_t)sign);
        } else {
            *to++ = at->base[last >> 5] + n;
        }
    }
}

static inline const uint8_t *tt_next_call(const uint8_t *call) {
    return call + 2 + TT_ARGUMENT_BYTES * (int32_t)call[1];
}

#endif
