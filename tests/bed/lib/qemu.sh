# qemu.sh: boards on QEMU's system emulation: ARM Cortex-M and RISC-V.

build_qemu() {
    local build=$OUT/build
    rm -rf "$build"
    mkdir -p "$build"
    make -C "$MPY/ports/qemu" -j"$JOBS" BOARD="$BOARD" BOARD_DIR="$HERE/qemu/boards/$BOARD" BUILD="$build" \
        FROZEN_MANIFEST= MICROPY_HEAP_SIZE="$HEAP" MICROPY_VFS_LFS2=1 USER_C_MODULES="$HERE/qemu/usermods" \
        CFLAGS_EXTRA="-DMP_CONFIGFILE='\"$HERE/qemu/mpconfigport_bed.h\"'"
    mv "$build/firmware.elf" "$OUT/"
    rm -rf "$build"
}

setup_qemu() {
    case $ARCH in
        rv32*) step apt-riscv '' apt_install qemu-system-misc gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf ;;
        *) step apt-arm '' apt_install qemu-system-arm gcc-arm-none-eabi libnewlib-arm-none-eabi ;;
    esac
    step count-plugin "qemu/nativecount.c qemu/cortex_m4.h" count_plugin
    step "firmware-$TARGET-$MPY_VERSION" \
        "lib/qemu.sh qemu/boards/$BOARD qemu/boards/cortexm.ld qemu/usermods qemu/mpconfigport_bed.h" build_qemu
}
