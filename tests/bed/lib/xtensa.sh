# xtensa.sh: ESP32 and ESP32-S2: the Xtensa compiler, and MicroPython on qemu-xtensa in Linux user mode.
# Debian's compiler is configured for the ESP8266. XTENSA_GNU_CONFIG configures it anew at run time, which takes gcc 13
# and binutils 2.44 from trixie; on an older Debian their binaries run with trixie's C library beside them. The module
# builder (host/tinytrain/backend/toolchain.py) uses $XTENSA too.

XTENSA=$BED/xtensa
XTENSA_BIN=$XTENSA/root/usr/bin
XTENSA_LIBC=$XTENSA/root/usr/lib/xtensa-lx106-elf/include

xtensa_compiler() {
    apt_install patchelf file gcc
    suite_lists
    local dl=$BED/dl/xtensa root=$XTENSA/root src=$XTENSA/src deb program
    rm -rf "$XTENSA" "$dl"
    mkdir -p "$dl" "$root" "$src/gcc"
    (
        cd "$dl"
        suite_apt download {gcc-xtensa-lx106,binutils-xtensa-lx106,picolibc-xtensa-lx106-elf,libc6}/"$SUITE"
        suite_apt download {binutils-source,gcc-13-source}/"$SUITE"
        suite_apt source --download-only "qemu/$SUITE"
    )
    for deb in "$dl"/{gcc-xtensa,binutils-xtensa,picolibc,libc6}*.deb; do dpkg -x "$deb" "$root"; done
    for deb in "$dl"/{binutils,gcc-13}-source*.deb; do dpkg -x "$deb" "$src"; done
    # of the sources only what is needed: the interface of the plugin, an instruction table, libgcc
    tar xf "$src"/usr/src/binutils/binutils-*.tar.xz -C "$src" --strip-components=1 --wildcards '*/include/xtensa*'
    tar xf "$dl"/qemu_*.orig.tar.xz -C "$src" --strip-components=1 --wildcards '*/target/xtensa/core-de233_fpu/*'
    tar xf "$src"/usr/src/gcc-13/gcc-13*.tar.xz -C "$src/gcc" --strip-components=1 \
        --wildcards '*/libgcc/*.[hc]' '*/libgcc/config/xtensa/*' '*/include/*'
    rm -rf "$src/usr" "$dl"
    if ! "$XTENSA_BIN/xtensa-lx106-elf-as" --version >/dev/null 2>&1; then
        find "$root/usr" -type f -perm -u+x -not -path '*/x86_64-linux-gnu/*' | while read -r program; do
            file "$program" | grep -q 'interpreter /lib64' || continue
            patchelf --set-interpreter "$root/usr/lib64/ld-linux-x86-64.so.2" \
                --set-rpath "$root/usr/lib/x86_64-linux-gnu:/usr/lib/x86_64-linux-gnu:/lib/x86_64-linux-gnu" "$program"
        done
    fi
    "$XTENSA_BIN/xtensa-lx106-elf-gcc" --version
}

# the plugins $XTENSA/CORE.so and, for the firmware, $XTENSA/CORE/libgcc.a
xtensa_cores() {
    local core flags
    for core in esp32 esp32s2; do
        flags=()
        [ $core = esp32 ] || flags=(-DBED_ESP32S2)
        # the instruction table is QEMU's own for the core that runs the code (MIT licence)
        gcc -shared -fPIC -O1 -w "${flags[@]}" -DATTRIBUTE_UNUSED='__attribute__((unused))' \
            -I"$HERE/xtensa/compiler" -I"$XTENSA/src/include" "$HERE/xtensa/compiler/dynconfig.c" \
            -xc "$XTENSA/src/target/xtensa/core-de233_fpu/xtensa-modules.c.inc" -o "$XTENSA/$core.so"
        PATH=$XTENSA_BIN:$PATH XTENSA_GNU_CONFIG=$XTENSA/$core.so \
            bash "$HERE/xtensa/compiler/runtime.sh" "$XTENSA/$core" "$XTENSA/src/gcc/libgcc"
    done
}

xtensa_firmware() {
    apt_install qemu-user
    local build=$OUT/build cpu=${MACHINE##* }
    rm -rf "$build"
    PATH=$XTENSA_BIN:$PATH XTENSA_GNU_CONFIG=$XTENSA/$BOARD.so make -C "$HERE/xtensa/port" -j"$JOBS" \
        MPY_DIR="$MPY" BUILD="$build" PYTHON="$PY" LIBC_INC="$XTENSA_LIBC" LIBGCC="$XTENSA/$BOARD/libgcc.a" \
        HEAP="$HEAP" CORE="$cpu"
    mv "$build/micropython" "$OUT/"
    rm -rf "$build"
    # LO:HI of the pool for native code
    "$XTENSA_BIN/xtensa-lx106-elf-nm" -S "$OUT/micropython" |
        awk '$4 == "exec_pool" { print "0x" $1, "0x" $2 }' |
        { read -r start size && printf '%#x:%#x\n' "$start" $((start + size)); } >"$OUT/native"
}

setup_xtensa() {
    step "xtensa-compiler" '' xtensa_compiler
    step "xtensa-cores" xtensa/compiler xtensa_cores
    step count-plugin "qemu/nativecount.c qemu/cortex_m4.h" count_plugin
    step "firmware-$TARGET-$MPY_VERSION" "lib/xtensa.sh xtensa/port xtensa/compiler" xtensa_firmware
}
