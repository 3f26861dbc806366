/* A native module has no C library: these three are in ../runtime.c. */
#ifndef TT_FREESTANDING_STRING_H
#define TT_FREESTANDING_STRING_H

#include <stddef.h>

#pragma GCC visibility push(hidden)
void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int value, size_t size);
#pragma GCC visibility pop

#endif
