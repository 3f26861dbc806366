# common.sh: what all families share: the table of targets, build steps, Debian sources, MicroPython.
# Sourced by bed.sh, which sets HERE (this folder), REPO, BED (the cache) and PY.

MPY=$BED/micropython # the unpacked tree; the module builder takes headers and tools from it too
MPY_VERSION=1.25.0
SUITE=trixie # the Debian suite whose source packages are used
JOBS=${JOBS:-$(nproc)}
HEAP=204800 # bytes, for boards that are not a certain chip: about what an RP2040 or STM32F4 leaves to a program

die() {
    echo "bed: $*" >&2
    exit 2
}

targets() { awk '!/^#/ && NF { print $1 }' "$HERE/targets.txt"; }

# target_row NAME: sets TARGET FAMILY ARCH BOARD MACHINE and OUT, the folder of its build products
target_row() {
    local name family arch board qemu romfs native machine
    while read -r name family arch board qemu romfs native machine; do
        [ "$name" = "$1" ] || continue
        TARGET=$name FAMILY=$family ARCH=$arch BOARD=$board MACHINE=$machine OUT=$BED/targets/$name
        return
    done <"$HERE/targets.txt"
    die "unknown target '$1' (known: $(targets | xargs))"
}

# step NAME "FILES" FUNCTION [ARGS]: runs FUNCTION once, and again when one of the FILES (or folders, relative to
# HERE) has changed. Its output goes to a log whose tail is shown on failure.
step() {
    local name=$1 files=$2 file key='' stamp log start=$SECONDS status
    shift 2
    for file in $files; do
        key+=$(find "$HERE/$file" -type f -not -name '*.pyc' -print0 | sort -z | xargs -0 cat | sha256sum)
    done
    stamp=$BED/done/$name-$(sha256sum <<<"$key" | cut -c1-12) log=$BED/log/$name.log
    [ ! -e "$stamp" ] || return 0
    mkdir -p "$BED/done" "$BED/log"
    printf '  %-22s ' "$name"
    # the subshell keeps 'set -e' at work inside FUNCTION (it would be off in an 'if' or '||' list)
    set +e
    (set -e; "$@") >"$log" 2>&1
    status=$?
    set -e
    if [ $status -ne 0 ]; then
        echo "FAILED after $((SECONDS - start)) s; the end of $log:"
        tail -n 25 "$log" | sed 's/^/    | /'
        exit 1
    fi
    rm -f "$BED/done/$name"-????????????
    touch "$stamp"
    printf '%4d s\n' $((SECONDS - start))
}

apt_install() { "$REPO/tools/apt-install.sh" "$@"; }

# suite_apt ARGS: apt-get with lists of its own, so that $SUITE's packages are fetched without touching the system's
suite_apt() {
    apt-get -q -oDir::State::Lists="$BED/apt/lists" -oDir::Cache="$BED/apt/cache" \
        -oDir::Etc::sourcelist="$BED/apt/sources.list" -oDir::Etc::sourceparts=/dev/null \
        -oAPT::Sandbox::User="$(id -un)" "$@"
}

# the mirror that this machine's own apt is set up with (known once its lists have been updated)
debian_mirror() {
    # shellcheck disable=SC2016
    apt-get indextargets --format '$(ORIGIN) $(LABEL) $(REPO_URI)' |
        awk '$1 == "Debian" && $2 == "Debian" { print $3; exit }'
}

# suite_lists: brings the lists up to date, at most once an hour
suite_lists() {
    [ -z "$(find "$BED/apt/fresh" -mmin -60 2>/dev/null)" ] || return 0
    mkdir -p "$BED/apt/lists/partial" "$BED/apt/cache/archives/partial"
    local mirror line
    mirror=$(debian_mirror)
    if [ -z "$mirror" ]; then
        apt-get -q update
        mirror=$(debian_mirror)
    fi
    [ -n "$mirror" ] || die "apt is set up with no Debian mirror"
    line="[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $SUITE main"
    printf 'deb %s\ndeb-src %s\n' "$line" "$line" >"$BED/apt/sources.list"
    suite_apt update
    touch "$BED/apt/fresh"
}

micropython_source() {
    local dl=$BED/dl/micropython
    suite_lists
    rm -rf "$MPY" "$MPY.new" "$dl"
    mkdir -p "$MPY.new" "$dl"
    (cd "$dl" && suite_apt source --download-only "micropython/$SUITE")
    # fails, and shows what there is, should the suite have moved on
    ls "$dl" && ls "$dl"/micropython_"$MPY_VERSION"[+-]*.orig.tar.xz
    tar xf "$dl"/micropython_*.orig.tar.xz -C "$MPY.new" --strip-components=1
    mv "$MPY.new" "$MPY"
}

# the plugin that counts instructions under QEMU
count_plugin() { gcc -O2 -Wall -Wno-unused -fPIC -shared -o "$BED/nativecount.so" "$HERE/qemu/nativecount.c"; }

mpy_cross() { make -C "$MPY/mpy-cross" -j"$JOBS"; }

setup_common() {
    step apt-base '' apt_install make gcc libc6-dev pkg-config xz-utils bzip2
    step "micropython-$MPY_VERSION" '' micropython_source
    step "mpy-cross-$MPY_VERSION" '' mpy_cross
}
