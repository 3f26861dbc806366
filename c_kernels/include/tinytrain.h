/* What C sources include: the declarations of tinytrain_kernels.h with what they stand on. */
#ifndef TINYTRAIN_H
#define TINYTRAIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#error "tinytrain's kernels are C (restrict, flexible array members)"
#endif

#include "tinytrain_kernels.h"

#endif
