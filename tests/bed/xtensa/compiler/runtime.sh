#!/bin/bash
# runtime.sh OUT LIBGCC_SOURCE: libgcc.a for the windowed ABI and the core that XTENSA_GNU_CONFIG selects, which the
# firmware needs (native modules do not). Debian's compiler comes with one for the ESP8266's ABI only.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
OUT=$1 SOURCE=$2
CC=xtensa-lx106-elf-gcc
FLAGS=(-mlongcalls -O2 -ffunction-sections "-I$HERE/libgcc" "-I$SOURCE" "-I$SOURCE/../include" "-I$SOURCE/config/xtensa")

# parts of config/xtensa/lib1funcs.S and of libgcc2.c, each by the macro that selects it
ASSEMBLY=(
    _mulsi3 _divsi3 _modsi3 _udivsi3 _umodsi3 _umulsidi3 _clz _clrsbsi2 _clzsi2 _ctzsi2 _ffssi2
    _ashldi3 _ashrdi3 _lshrdi3 _bswapsi2 _bswapdi2
    _negsf2 _addsubsf3 _mulsf3 _divsf3 _cmpsf2 _fixsfsi _fixsfdi _fixunssfsi _fixunssfdi
    _floatsisf _floatunsisf _floatdisf _floatundisf _sqrtf _recipsf2 _rsqrtsf2
    _negdf2 _addsubdf3 _muldf3 _divdf3 _cmpdf2 _fixdfsi _fixdfdi _fixunsdfsi _fixunsdfdi
    _floatsidf _floatunsidf _floatdidf _floatundidf _truncdfsf2 _extendsfdf2
)
C_PARTS=(
    _muldi3 _negdi2 _cmpdi2 _ucmpdi2 _divdi3 _moddi3 _divmoddi4 _udivdi3 _umoddi3 _udivmoddi4 _udiv_w_sdiv
    _clzdi2 _ctzdi2 _ffsdi2 _popcountsi2 _popcountdi2 _powisf2 _clear_cache
)

rm -rf "$OUT"
mkdir -p "$OUT/o"
for part in "${ASSEMBLY[@]}"; do
    "$CC" "${FLAGS[@]}" -D"L$part" -xassembler-with-cpp -c "$SOURCE/config/xtensa/lib1funcs.S" -o "$OUT/o/$part.o"
done
for part in "${C_PARTS[@]}"; do
    "$CC" "${FLAGS[@]}" -DIN_GCC -DIN_LIBGCC2 -fbuilding-libgcc -fno-stack-protector -D"L$part" \
        -c "$SOURCE/libgcc2.c" -o "$OUT/o/$part.o"
done
xtensa-lx106-elf-ar rcs "$OUT/libgcc.a" "$OUT"/o/*.o
rm -rf "$OUT/o"
