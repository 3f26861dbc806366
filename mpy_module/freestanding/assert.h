/* A native module has no C library: no assertions. */
#define assert(condition) ((void)0)
