"""Where the parts of the project that are not Python lie: packaged, or in the repository."""

from __future__ import annotations

import os
from pathlib import Path

from tinytrain.errors import BuildError


def _folder(name: str) -> Path:
    here = Path(__file__).resolve()
    for candidate in (here.parent / "_data" / name, here.parents[2] / name):
        if candidate.is_dir():
            return candidate
    raise BuildError(f"tinytrain's folder {name} is missing: install the package again")


def c_kernels_dir() -> Path:
    """The C kernels: include/ and src/."""
    return _folder("c_kernels")


def mpy_module_dir() -> Path:
    """The MicroPython binding."""
    return _folder("mpy_module")


def boards_dir() -> Path:
    """The board files."""
    return _folder("boards")


def micropython_dir() -> Path:
    """MicroPython's source tree: $MPY_DIR, else the one that `make setup` keeps in the cache."""
    if named := os.environ.get("MPY_DIR"):
        tree, hint = (
            Path(named).absolute(),
            "MPY_DIR must name a MicroPython checkout",
        )
    else:
        tree, hint = cache_dir() / "micropython", "run `make setup`, or set MPY_DIR to a checkout"
    for needed in ("py/dynruntime.h", "tools/mpy_ld.py"):
        if not (tree / needed).is_file():
            raise BuildError(f"no MicroPython source tree at {tree} ({needed} is missing): {hint}")
    return tree


def cache_dir() -> Path:
    """The folder outside the tree for what set-up downloads; tests/bed has the same rule."""
    if own := os.environ.get("TINYTRAIN_CACHE"):
        return Path(own).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").absolute() / "tinytrain"
