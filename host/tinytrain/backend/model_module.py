"""From generated C to the native module: which sources a model's module consists of."""

from __future__ import annotations

from pathlib import Path

from tinytrain.backend.kernel_sources import compact_sources, include_dirs, kernel_sources
from tinytrain.backend.natmod import NatmodReport, Progress, build_natmod
from tinytrain.compilation import Compiled
from tinytrain.resources import mpy_module_dir


def defines(compiled: Compiled) -> tuple[str, ...]:
    """The macros that all C sources of a build have to be compiled with."""
    return (f"TT_GRADIENT_BITS={compiled.program.gradients.bits}",)


def link_model(
    compiled: Compiled,
    target: str,
    source: Path,
    out: Path,
    work_dir: Path,
    *,
    core: str = "",
    compiler: str = "gnu",
    progress: Progress = lambda what, done, total: None,
) -> NatmodReport:
    """Build the module `out` of the generated C in the folder `source`; see build_natmod."""
    optimize = compiled.options.optimize
    binding = sorted(mpy_module_dir().glob("*.c"))
    model = source / "model.c"
    return build_natmod(
        [*binding, model, *kernel_sources(target, optimize, core)],
        [source, mpy_module_dir(), *include_dirs()],
        target,
        out,
        work_dir,
        compact=[*binding, model, *compact_sources(target, optimize, core)],
        defines=defines(compiled),
        core=core,
        compiler=compiler,
        progress=progress,
    )
