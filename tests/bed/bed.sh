#!/bin/bash
# bed.sh: MicroPython on emulated boards, for running native modules. README.md has the details.
# Everything is built in the cache ($TINYTRAIN_CACHE, default ~/.cache/tinytrain), nothing beside this script.
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
REPO=$(cd "$HERE/../.." && pwd)
BED=$(realpath -m "${TINYTRAIN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tinytrain}")
PY=${PY:-$REPO/.venv/bin/python}
. "$HERE/lib/common.sh"
. "$HERE/lib/unix.sh"
. "$HERE/lib/qemu.sh"
. "$HERE/lib/pico.sh"
. "$HERE/lib/xtensa.sh"

usage() {
    cat >&2 <<EOF
usage: bed.sh setup [TARGET...]                   build what is missing (default: every target)
       bed.sh run   TARGET SCRIPT.py [OPTIONS]    run a script on a fresh board, print its output
       bed.sh count TARGET SCRIPT.py [OPTIONS]    the same, then instruction or cycle counts on stderr
       bed.sh serve TARGET [--romfs DIR]          start a board for mpremote, stay until killed
       bed.sh env   TARGET                        shell variables for building a module by hand
options of run and count: --put FILE...  --romfs DIR  --timeout SECONDS
targets: $(targets | xargs)
EOF
    exit 2
}

cmd_setup() {
    local names=("$@") name start=$SECONDS
    [ ${#names[@]} -gt 0 ] || mapfile -t names < <(targets)
    for name in "${names[@]}"; do target_row "$name"; done # refuse unknown names before any work
    "$PY" -c 'import mpremote, elftools, ar' || die "$PY lacks the project's packages: run 'make setup'"
    mkdir -p "$BED"
    exec 9>"$BED/lock"
    flock 9 # one set-up at a time per cache
    echo "test bed: ${names[*]} in $BED"
    setup_common
    for name in "${names[@]}"; do
        target_row "$name"
        mkdir -p "$OUT"
        "setup_$FAMILY"
        touch "$OUT/ready"
    done
    echo "test bed: ready after $((SECONDS - start)) s"
}

cmd_env() {
    [ $# -eq 1 ] || usage
    target_row "$1"
    printf 'export MPY_DIR=%q ARCH=%q PYTHON=%q MICROPY_MPYCROSS=%q\n' \
        "$MPY" "$ARCH" "$PY" "$MPY/mpy-cross/build/mpy-cross"
}

main() { # a function, so that bash has read the whole file before anything runs
    case ${1:-} in
        setup) shift; cmd_setup "$@" ;;
        env) shift; cmd_env "$@" ;;
        run | count | serve) exec "$PY" "$HERE/drive.py" "$@" ;;
        *) usage ;;
    esac
    exit
}
main "$@"
