"""Firmwares with a user C module, built in the cache so that only what has changed is compiled."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import drive

BED = Path(drive.__file__).parent
WITHOUT = ("MICROPY_PY_SSL=0", "MICROPY_SSL_MBEDTLS=0", "MICROPY_PY_BTREE=0")


@contextmanager
def build_folder(port: str) -> Iterator[Path]:
    """The port's folder in the cache, for one process at a time."""
    folder = drive.cache_dir() / "usermod" / port
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


def replace_module(usermod: Path, folder: Path) -> Path:
    """The module in the folder, where files keep their age unless they have changed."""
    place = folder / "modules"
    new = {p.relative_to(usermod): p for p in usermod.rglob("*") if p.is_file()}
    if place.exists():
        for old in [p for p in place.rglob("*") if p.is_file()]:
            if old.relative_to(place) not in new:
                old.unlink()
    for name, path in new.items():
        to = place / name
        if not to.exists() or to.read_bytes() != path.read_bytes():
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, to)
    return place


def run(*command: str | Path) -> None:
    result = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, check=False, timeout=600
    )
    assert result.returncode == 0, (result.stdout + result.stderr)[-4000:]


def unix(usermod: Path, out: Path, flags: str = "") -> Path:
    """The unix port's program with the module. flags: for compiler and linker, say a sanitizer."""
    micropython = drive.cache_dir() / "micropython"
    extra = [f"{name}_EXTRA={flags}" for name in ("CFLAGS", "LDFLAGS") if flags]
    with build_folder("unix-flags" if flags else "unix") as folder:
        modules = replace_module(usermod, folder)
        run("make", "-C", micropython / "ports" / "unix", f"-j{os.cpu_count()}",
            "VARIANT=standard", f"BUILD={folder}/build", "FROZEN_MANIFEST=",
            "MICROPY_PY_BLUETOOTH=0", *WITHOUT, *extra, f"USER_C_MODULES={modules}")  # fmt: skip
        return Path(shutil.copy(folder / "build" / "micropython", out))


def rp2(usermod: Path, out: Path) -> Path:
    """The test bed's Pico firmware with the module."""
    bed, micropython = drive.cache_dir() / "pico", drive.cache_dir() / "micropython"
    with build_folder("rp2") as folder:
        modules = replace_module(usermod, folder)
        run("cmake", "-G", "Ninja", "-S", micropython / "ports" / "rp2", "-B", folder / "build",
            "-DPICO_BUILD_DOCS=0", "-DPICO_NO_PICOTOOL=1",
            f"-DCMAKE_EXE_LINKER_FLAGS=-L{bed}/stub",
            "-DCMAKE_CXX_FLAGS=-nostdinc++ -DPICO_CXX_DISABLE_ALLOCATION_OVERRIDES=1",
            f"-DMICROPY_LIB_DIR={bed}/no-micropython-lib", "-DMICROPY_BOARD=BED_PICO",
            f"-DMICROPY_BOARD_DIR={BED}/pico/board/BED_PICO",
            f"-DUSER_C_MODULES={modules}/micropython.cmake")  # fmt: skip
        run("ninja", "-C", folder / "build")
        return Path(shutil.copy(folder / "build" / "firmware.bin", out))


BUILDERS = {"unix": unix, "pico": rp2}
