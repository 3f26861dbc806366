"""From generated C to the native module: which sources a model's module consists of."""

from __future__ import annotations

from pathlib import Path

from tinytrain.backend.kernel_sources import SIZE, compact_sources, include_dirs, kernel_sources
from tinytrain.backend.natmod import NatmodReport, Progress, build_natmod
from tinytrain.compilation import Compiled
from tinytrain.resources import mpy_module_dir


def defines(compiled: Compiled) -> tuple[str, ...]:
    """The macros that all C sources of a build have to be compiled with."""
    clips = () if compiled.program.step else ("TT_CLIPS=0",)
    return (f"TT_GRADIENT_BITS={compiled.program.gradients.bits}", *clips)


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
    runtime = mpy_module_dir() / "runtime.c"
    binding = [path for path in sorted(mpy_module_dir().glob("*.c")) if path != runtime]
    model = source / "model.c"
    kernels = kernel_sources(target, optimize, core)
    # where speed counts, kernels compiled for it call the others: these have to stay what they are
    whole = [*(kernels if optimize == SIZE else ()), *binding, model]
    return build_natmod(
        [*kernels, *binding, model, runtime],
        [source, mpy_module_dir(), *include_dirs()],
        target,
        out,
        work_dir,
        compact=[*compact_sources(target, optimize, core), *binding, model, runtime],
        whole=whole,
        defines=defines(compiled),
        core=core,
        compiler=compiler,
        progress=progress,
    )
