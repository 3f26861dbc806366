// What an instruction takes on a Cortex-M4 whose memory never makes it wait, by the tables of its reference manual:
// 1 cycle; a load 2, or 1 right behind a load on which its address does not depend; several registers 1 and 1 each; LDRD,
// STRD, TBB 3; a division 6 (2 to 12). Stores go to the write buffer. A taken branch costs TAKEN more, for the pipeline
// (1 to 3 on silicon).
#include <stddef.h>
#include <stdint.h>

enum { TAKEN = 1, NOT_LOADED = -1 };

static unsigned single_load(int to, int base, int index, int *loaded) {
    int before = *loaded;
    *loaded = to;
    return before != NOT_LOADED && before != base && before != index ? 1 : 2;
}

static unsigned narrow_cycles(unsigned op, int *loaded) {
    int low = op & 7, middle = op >> 3 & 7, high = op >> 6 & 7, other = op >> 8 & 7;
    if ((op & 0xf800) == 0x4800) { // literal
        return single_load(other, NOT_LOADED, NOT_LOADED, loaded);
    }
    if ((op & 0xf000) == 0x5000 && (op >> 9 & 7) >= 3) { // [register, register]
        return single_load(low, middle, high, loaded);
    }
    if ((op & 0xe800) == 0x6800 || (op & 0xf800) == 0x8800) { // [register, offset]
        return single_load(low, middle, NOT_LOADED, loaded);
    }
    if ((op & 0xf800) == 0x9800) { // [sp, offset]
        return single_load(other, 13, NOT_LOADED, loaded);
    }
    *loaded = NOT_LOADED;
    if ((op & 0xf600) == 0xb400) { // push, pop
        return 1 + __builtin_popcount(op & 0x1ff);
    }
    return (op & 0xf000) == 0xc000 ? 1 + __builtin_popcount(op & 0xff) : 1; // stm, ldm
}

static unsigned wide_cycles(unsigned op, unsigned second, int *loaded) {
    if ((op & 0xfe10) == 0xf810) {
        int by_register = !(op & 0x80) && !(second & 0xfc0);
        return single_load(second >> 12, op & 15, by_register ? (int)(second & 15) : NOT_LOADED, loaded);
    }
    *loaded = NOT_LOADED;
    if ((op & 0xfe40) == 0xe800) { // ldm, stm
        return 1 + __builtin_popcount(second);
    }
    if ((op & 0xfe40) == 0xe840) { // ldrd, strd, tbb
        return 3;
    }
    return (op & 0xffd0) == 0xfb90 ? 6 : 1; // sdiv, udiv
}

static size_t thumb_size(const uint8_t *code) {
    return code[1] >> 3 >= 0x1d ? 4 : 2;
}

// loaded: the register that the instruction before has loaded, NOT_LOADED if it was no load
static unsigned m4_cycles(const uint8_t *code, int *loaded) {
    unsigned op = code[0] | code[1] << 8;
    return thumb_size(code) == 2 ? narrow_cycles(op, loaded) : wide_cycles(op, code[2] | code[3] << 8, loaded);
}
