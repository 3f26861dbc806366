"""Which files the kernels of a target consist of."""

from __future__ import annotations

from pathlib import Path

from tinytrain.backend.toolchain import CORES
from tinytrain.resources import c_kernels_dir

# Folders of c_kernels, best first; a file stands in for those of the same name in later folders.
FOLDERS = {
    "armv6m": ("armv6m", "packed"),
    "armv7m": ("packed",),
    "armv7emsp": ("armv7em", "packed"),
    "armv7emdp": ("armv7em", "packed"),
    "rv32imc": ("rv32imc", "rows16", "packed"),
    "xtensawin": ("packed",),
}
# of chips that have more than the target's name says
CORE_FOLDERS = dict.fromkeys(("esp32", "esp32s3"), ("mac16", "rows16", "packed"))
PORTABLE = "src"

SPEED, SIZE = OPTIMIZE = ("speed", "size")
PLAIN = "plain"  # the portable ones, for speed: what the others are measured against

# Compiled for size in any case: what runs once a call, or for a small share of the time.
COMPACT = (
    *("add", "block", "channels", "mean", "pad", "pool2d", "requantize", "softmax"),
    *("mean_squared_error", "sigmoid_cross_entropy", "parts", "scratch"),
    # what runs for every pixel, or weight, is in other files
    *("conv2d_s8", "swar", "swar_pack", "fully_connected"),
)
# where other kernels stand in for them, for what those cannot do
FALLBACK = ("conv2d_plain", "depthwise_conv2d_plain")
# where it is in assembly, too, or in files of its own
COMPACT_ON = {
    "armv6m": (
        *("depthwise_conv2d_s8", "depthwise_conv2d_bwd_input", "depthwise_sums", "bias"),
        *("conv2d_bwd_input", "conv2d_bwd_weight", "gradient_tile", "scale_pixels"),
        *("update_products", "row_sums"),
    ),
    **dict.fromkeys(
        ("armv7emsp", "armv7emdp"),
        (
            *("depthwise_conv2d", "depthwise_conv2d_s8", "depthwise_sums"),
            *("conv2d_bwd_input", "conv2d_bwd_weight", "update_products"),
        ),
    ),
    "rv32imc": (
        *("depthwise_conv2d_s8", "depthwise_conv2d_bwd_input", "depthwise_sums"),
        *("conv2d_bwd_input", "conv2d_bwd_weight"),
    ),
}


def kernel_sources(target: str, optimize: str = SPEED, core: str = "") -> list[Path]:
    """The files to compile for a target, .c and .S; the portable ones but for speed.

    core: which of its chips, as for toolchain().
    """
    core = core or CORES.get(target, ("",))[0]
    folders = CORE_FOLDERS.get(core, FOLDERS.get(target, ())) if optimize == SPEED else ()
    found: dict[str, Path] = {}
    for folder in (*folders, PORTABLE):
        for path in sorted((c_kernels_dir() / folder).glob("*.[cS]")):
            found.setdefault(path.stem, path)
    return [found[stem] for stem in sorted(found)]


def compact_sources(target: str, optimize: str = SPEED, core: str = "") -> list[Path]:
    """Those of them that are compiled for size."""
    if optimize == PLAIN:
        return []
    names = (*COMPACT, *COMPACT_ON.get(target, ()), *(FALLBACK if target in FOLDERS else ()))
    sources = kernel_sources(target, optimize, core)
    return [path for path in sources if optimize == SIZE or path.stem in names]


def include_dirs() -> list[Path]:
    """Where the headers of kernels lie: those for everyone, and their own."""
    return [c_kernels_dir() / name for name in ("include", PORTABLE, "packed")]
