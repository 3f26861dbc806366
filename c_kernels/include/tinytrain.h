/* What C sources include: the declarations of tinytrain_kernels.h with what they stand on. */
#ifndef TINYTRAIN_H
#define TINYTRAIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#error "tinytrain's kernels are C (restrict, flexible array members)"
#endif

/* A build's gradients have mantissas of 16 or of 8 bits; all its sources are compiled with the same. */
#ifndef TT_GRADIENT_BITS
#define TT_GRADIENT_BITS 16
#endif
#if TT_GRADIENT_BITS == 16
typedef int16_t tt_mantissa;
#elif TT_GRADIENT_BITS == 8
typedef int8_t tt_mantissa;
#else
#error "TT_GRADIENT_BITS must be 16 or 8"
#endif

#include "tinytrain_kernels.h"

#endif
