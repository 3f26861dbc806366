"""Which files the kernels of a target consist of."""

from __future__ import annotations

from pathlib import Path

from tinytrain.resources import c_kernels_dir

# Folders of c_kernels, best first; a file stands in for those of the same name in later folders.
FOLDERS = {
    "armv6m": ("armv6m", "packed"),
    "armv7m": ("packed",),
    "armv7emsp": ("armv7em", "packed"),
    "armv7emdp": ("armv7em", "packed"),
    "rv32imc": ("packed",),
    "xtensawin": ("packed",),
}
PORTABLE = "src"

SPEED, SIZE = OPTIMIZE = ("speed", "size")

# Compiled for size in any case: what runs once a call, or for a small share of the time.
COMPACT = (
    *("add", "block", "channels", "mean", "pad", "pool2d", "requantize", "softmax"),
    *("cross_entropy", "mean_squared_error", "sigmoid_cross_entropy", "parts", "scratch"),
    *("conv2d_s8", "swar", "swar_pack"),  # packing: what runs for every pixel is in other files
)
# where it is in assembly, too
COMPACT_ON = {
    "armv6m": (
        *("depthwise_conv2d_s8", "update_products", "row_sums"),
        *("conv2d_bwd_weight", "gradient_tile", "scale_pixels", "conv2d_bwd_input", "bias"),
    )
}


def kernel_sources(target: str, optimize: str = SPEED) -> list[Path]:
    """The files to compile for a target, .c and .S; for size: the portable ones."""
    folders = FOLDERS.get(target, ()) if optimize == SPEED else ()
    found: dict[str, Path] = {}
    for folder in (*folders, PORTABLE):
        for path in sorted((c_kernels_dir() / folder).glob("*.[cS]")):
            found.setdefault(path.stem, path)
    return [found[stem] for stem in sorted(found)]


def compact_sources(target: str, optimize: str = SPEED) -> list[Path]:
    """Those of them that are compiled for size."""
    names = (*COMPACT, *COMPACT_ON.get(target, ()))
    sources = kernel_sources(target, optimize)
    return [path for path in sources if optimize == SIZE or path.stem in names]


def include_dirs() -> list[Path]:
    """Where the headers of kernels lie: those for everyone, and their own."""
    return [c_kernels_dir() / name for name in ("include", PORTABLE, "packed")]
