/* How generated code keeps its kernel calls: as tables of bytes, a third of what code for them takes.
 *
 * A call is a byte that says which kernel, a byte with the number of those that follow, and 1 to 4
 * bytes for each argument, little endian: 3 bits say what it is relative to, 2 bits how many bytes
 * follow, the others are an offset or a signed number. */
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
#define TT_FIRST(place, more, n)                                                                   \
    (uint8_t)((uint32_t)(place) | (uint32_t)(more) << 3 | ((uint32_t)(n) & 7u) << 5)
#define TT_ARGUMENT_1(place, n) TT_FIRST(place, 0, n)
#define TT_ARGUMENT_2(place, n) TT_FIRST(place, 1, n), TT_BYTE(n, 3)
#define TT_ARGUMENT_3(place, n) TT_FIRST(place, 2, n), TT_BYTE(n, 3), TT_BYTE(n, 11)
#define TT_ARGUMENT_4(place, n) TT_FIRST(place, 3, n), TT_BYTE(n, 3), TT_BYTE(n, 11), TT_BYTE(n, 19)

/* bytes: 1 to 4, as many as n needs */
#define TT_WEIGHTS(bytes, offset) TT_ARGUMENT_##bytes(TT_IN_WEIGHTS, offset)
#define TT_STATE(bytes, offset) TT_ARGUMENT_##bytes(TT_IN_STATE, offset)
#define TT_ARENA(bytes, offset) TT_ARGUMENT_##bytes(TT_IN_ARENA, offset)
#define TT_PARAMS(bytes, member) TT_ARGUMENT_##bytes(TT_IN_PARAMS, offsetof(tt_params, member))
#define TT_RUN(bytes, member) TT_ARGUMENT_##bytes(TT_IN_RUN, offsetof(tt_run, member))
#define TT_LABEL(bytes, n) TT_ARGUMENT_##bytes(TT_IN_LABEL, n)
#define TT_TARGET(bytes, n) TT_ARGUMENT_##bytes(TT_IN_TARGET, n)
#define TT_INTEGER(bytes, n) TT_ARGUMENT_##bytes(TT_NUMBER, n)

/* What offsets are relative to, by TT_IN_...; in a prediction there is no run. */
typedef struct {
    uintptr_t base[TT_NUMBER];
} tt_places;

/* The arguments of a call as words: addresses, or integers with their sign. */
static inline void tt_arguments(const uint8_t *call, const tt_places *at, uintptr_t *to) {
    const uint8_t *end = call + 2 + call[1];
    call += 2;
    while (call < end) {
        uint32_t first = call[0], more = first >> 3 & 3u, n = 0;
        for (uint32_t i = more; i > 0u; i--) {
            n = n << 8 | call[i];
        }
        n = n << 3 | first >> 5;
        if ((first & 7u) == TT_NUMBER) {
            uint32_t sign = 4u << 8 * more;
            *to++ = (uintptr_t)(intptr_t)((int32_t)(n ^ sign) - (int32_t)sign);
        } else {
            *to++ = at->base[first & 7u] + n;
        }
        call += more + 1u;
    }
}

static inline const uint8_t *tt_next_call(const uint8_t *call) {
    return call + 2 + call[1];
}

#endif
