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
