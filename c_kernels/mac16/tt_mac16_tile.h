/* How what MAC16 multiplies lies as int16, in blocks of which one at a time meets what is on the stack. The
 * weights of a group of tt_swar.h: [depth / TT_BLOCK][channel][TT_BLOCK], of each four (0, 2), (1, 3); the
 * last block may be shorter. */
#ifndef TT_MAC16_TILE_H
#define TT_MAC16_TILE_H

#define TT_BLOCK 128 /* a multiple of 4 */

#endif
