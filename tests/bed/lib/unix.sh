# unix.sh: the unix port, the quick reference: x86-64, 64-bit words, double precision.

build_unix() {
    apt_install libffi-dev
    # ssl, btree and bluetooth need submodules that Debian's source package leaves out
    make -C "$MPY/ports/unix" -j"$JOBS" VARIANT=standard BUILD="$OUT/build" FROZEN_MANIFEST= \
        MICROPY_PY_SSL=0 MICROPY_SSL_MBEDTLS=0 MICROPY_PY_BTREE=0 MICROPY_PY_BLUETOOTH=0
    mv "$OUT/build/micropython" "$OUT/"
    rm -rf "$OUT/build"
}

setup_unix() { step "unix-$MPY_VERSION" lib/unix.sh build_unix; }
