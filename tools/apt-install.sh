#!/bin/bash
# apt-install.sh PACKAGE...: installs the Debian packages that are missing; quick when none is.
# Without root it takes sudo where that asks nothing, and otherwise says what to run.
set -euo pipefail

missing=()
for package in "$@"; do
    status=$(dpkg-query -W -f='${Status}' "$package" 2>/dev/null || true)
    [[ $status == *"ok installed"* ]] || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

# another apt may be at work: wait for it
apt=(apt-get -o DPkg::Lock::Timeout=600)
if [ "$(id -u)" -eq 0 ]; then
    as_root=(env DEBIAN_FRONTEND=noninteractive)
elif sudo -n true 2>/dev/null; then
    as_root=(sudo -n env DEBIAN_FRONTEND=noninteractive)
else
    echo "these Debian packages are missing; install them and try again:" >&2
    echo "    sudo apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 2
fi
echo "installing ${missing[*]}"
install=("${as_root[@]}" "${apt[@]}" -q -y --no-install-recommends install "${missing[@]}")
# the package lists may be old or, in a container, not there at all
"${install[@]}" || { "${as_root[@]}" "${apt[@]}" -q update && "${install[@]}"; }
