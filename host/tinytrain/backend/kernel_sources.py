"""Which files the kernels of a target consist of."""

from __future__ import annotations

from pathlib import Path

from tinytrain.resources import c_kernels_dir

# Folders of c_kernels, best first; a file stands in for those of the same name in later folders.
FOLDERS = {
    "armv6m": ("armv6m", "packed"),
    "armv7m": ("packed",),
    "armv7emsp": ("packed",),
    "armv7emdp": ("packed",),
    "rv32imc": ("packed",),
    "xtensawin": ("packed",),
}
PORTABLE = "src"

# what runs once a call or once a step is compiled for size
ONCE = ("softmax", "cross_entropy", "parts")


def kernel_sources(target: str) -> list[Path]:
    """The files to compile for a target, .c and .S."""
    found: dict[str, Path] = {}
    for folder in (*FOLDERS.get(target, ()), PORTABLE):
        for path in sorted((c_kernels_dir() / folder).glob("*.[cS]")):
            found.setdefault(path.stem, path)
    return [found[stem] for stem in sorted(found)]


def include_dirs() -> list[Path]:
    """Where the headers of kernels lie: those for everyone, and their own."""
    return [c_kernels_dir() / name for name in ("include", PORTABLE, "packed")]
