/* A call takes 8 bytes on RISC-V, so that it reaches everything, until a linker shortens it, which
 * MicroPython's does not. A module is smaller than the 1 MB that 4 bytes reach, and the assembler
 * takes 2 where they are enough. It cannot where gcc expects that a function may be anywhere: not
 * so kernels, which are hidden, nor the two that it calls on its own. */
#ifndef TT_NEAR_CALLS_H
#define TT_NEAR_CALLS_H

#pragma GCC visibility push(hidden)
#include "tinytrain.h"
#include "tinytrain_parts.h"
#pragma GCC visibility pop

__asm__(".macro call function\n"
        "  .ifc \\function, memcpy@plt\n"
        "    jal memcpy\n"
        "  .else\n"
        "    .ifc \\function, memset@plt\n"
        "      jal memset\n"
        "    .else\n"
        "      jal \\function\n"
        "    .endif\n"
        "  .endif\n"
        ".endm\n"
        ".macro tail function\n"
        "  j \\function\n"
        ".endm\n");

#endif
