"""What a machine needs to build and deploy, what of it is there, and how to get the rest."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tinytrain.backend.board import Board
from tinytrain.backend.natmod import COMPILERS
from tinytrain.backend.toolchain import CORES, TARGETS, Toolchain
from tinytrain.errors import BuildError
from tinytrain.resources import micropython_dir

PACKAGES = {
    "elftools": ("pyelftools", "linking a module"),
    "ar": ("ar", "linking a module"),
    "mpremote": ("mpremote", "talking to a board"),
}
PROGRAM = "int tinytrain_doctor(int x) { return x + 1; }\n"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is needed: what for, what was found (None: missing), how to get it."""

    what: str
    purpose: str
    found: str | None
    remedy: str


def examine(board: Board | None = None, compiler: str = "gnu") -> tuple[Finding, ...]:
    """Everything for one board, or for all targets; compiler: "gnu" or "zig"."""
    choose = COMPILERS[compiler]
    if board is None:
        pairs = [(t, core) for t in TARGETS for core in CORES.get(t, ("",))]
        rows = [choose(*pair) for pair in pairs if compiler == "gnu" or pair[0] != "xtensawin"]
    else:
        rows = [choose(board.target, board.core)]
    return (_host_compiler(), *_packages(), _micropython(), *_compilers(rows))


def _host_compiler() -> Finding:
    """cffi compiles the kernels for the simulator, and to ask them for their scratch memory."""
    found = shutil.which("cc") or shutil.which("gcc")
    return Finding("C compiler", "the simulator", found, "apt-get install gcc libc6-dev")


def _packages() -> Iterable[Finding]:
    for module, (package, purpose) in PACKAGES.items():
        there = importlib.util.find_spec(module) is not None
        yield Finding(package, purpose, "installed" if there else None, f"pip install {package}")


def _micropython() -> Finding:
    try:
        found = str(micropython_dir())
    except BuildError:
        found = None
    return Finding(
        "MicroPython's sources",
        "headers, linking a module",
        found,
        "make setup, in tinytrain's repository; or set MPY_DIR to a checkout of 1.25 or later",
    )


def _compilers(rows: Iterable[Toolchain]) -> Iterable[Finding]:
    for tools in rows:
        name = f"{tools.target} ({tools.core})" if tools.core else tools.target
        found = tools.find() if tools.prefix is not None and _compiles(tools) else None
        yield Finding(f"compiler for {name}", "building a module", found, tools.install)


def _compiles(tools: Toolchain) -> bool:
    """Whether the compiler that is there makes code for the target: it may be set up for others."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "doctor.c")
        source.write_text(PROGRAM)
        command = [*tools.compiler(), *tools.flags, "-c", str(source), "-o", str(source) + ".o"]
        result = subprocess.run(
            command,
            cwd=folder,
            capture_output=True,
            check=False,
            env=tools.surroundings(),
            timeout=60,
        )
        return result.returncode == 0
