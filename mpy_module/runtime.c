/* The functions a C compiler may call on its own (copies of structs, loops it recognizes), for
 * native modules: the firmware has them, in flash, but does not give their names to modules. */
#include <string.h>

#include "py/dynruntime.h"

void *memcpy(void *restrict to, const void *restrict from, size_t size) {
    return mp_fun_table.memmove_(to, from, size);
}

void *memmove(void *to, const void *from, size_t size) {
    return mp_fun_table.memmove_(to, from, size);
}

void *memset(void *to, int value, size_t size) {
    return mp_fun_table.memset_(to, value, size);
}

#if defined(__XTENSA__)
unsigned long long __umulsidi3(unsigned a, unsigned b);

/* The 64-bit product, which gcc calls for where it may not use MULUH (Espressif's own gcc may). */
unsigned long long __umulsidi3(unsigned a, unsigned b) {
    unsigned a_low = a & 0xffffu, a_high = a >> 16, b_low = b & 0xffffu, b_high = b >> 16;
    unsigned low = a_low * b_low;
    unsigned middle = a_high * b_low + (low >> 16); /* at most 0xffff * 0xffff + 0xffff: fits */
    unsigned other = a_low * b_high + (middle & 0xffffu);
    unsigned high = a_high * b_high + (middle >> 16) + (other >> 16);
    return (unsigned long long)high << 32 | (other << 16 | (low & 0xffffu));
}
#endif

#if defined(__clang__) && defined(__arm__)
/* clang calls these names of ARM's run-time ABI instead; size before value. Aligned ones (4) too. */
#define TT_AEABI(name, parameters, call)                                                           \
    void name parameters;                                                                          \
    void name parameters {                                                                         \
        call;                                                                                      \
    }
#define TT_COPY (void *to, const void *from, size_t size)
TT_AEABI(__aeabi_memcpy, TT_COPY, mp_fun_table.memmove_(to, from, size))
TT_AEABI(__aeabi_memcpy4, TT_COPY, mp_fun_table.memmove_(to, from, size))
TT_AEABI(__aeabi_memcpy8, TT_COPY, mp_fun_table.memmove_(to, from, size))
TT_AEABI(__aeabi_memclr, (void *to, size_t size), mp_fun_table.memset_(to, 0, size))
TT_AEABI(__aeabi_memclr4, (void *to, size_t size), mp_fun_table.memset_(to, 0, size))
TT_AEABI(__aeabi_memclr8, (void *to, size_t size), mp_fun_table.memset_(to, 0, size))
TT_AEABI(__aeabi_memset, (void *to, size_t size, int value), mp_fun_table.memset_(to, value, size))
TT_AEABI(__aeabi_memset4, (void *to, size_t size, int value), mp_fun_table.memset_(to, value, size))
#endif
