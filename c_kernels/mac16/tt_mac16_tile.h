/* How the weights of a group lie for MAC16: [depth / TT_BLOCK][channel][TT_BLOCK] int16, of each four
 * weights (0, 2), (1, 3); the last block may be shorter. */
#ifndef TT_MAC16_TILE_H
#define TT_MAC16_TILE_H

#include "tt_swar.h"

#define TT_BLOCK 128 /* so many inputs of a pixel are on the stack */

#endif
