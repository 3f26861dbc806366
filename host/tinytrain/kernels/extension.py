"""Compiles C into a module of this Python through cffi's API mode, once for each set of sources.

The C compiler sees cffi's declarations beside the real ones, and so confirms every struct and
signature. Results are kept in the user's cache, the objects of the sources too.
"""

from __future__ import annotations

import contextlib
import importlib.machinery
import importlib.util
import io
import os
import platform
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Final

import cffi

from tinytrain.errors import BuildError
from tinytrain.kernels.build_cache import digest, kept, program_identity, reached, reached_from

_OBJECT: Final = "object.o"
_FLAGS: Final = ("-std=c99", "-O2", "-g0", "-fPIC", "-fvisibility=hidden")


def build_extension(
    name: str,
    cdef: str,
    sources: Sequence[Path],
    include_dirs: Sequence[Path],
    flags: Sequence[str] = (),
    preamble: str = '#include "tinytrain.h"',
    folder: str = "kernels",
) -> ModuleType:
    """Compile C sources with cffi's wrapper for `cdef`, or find them compiled; import the module.

    The module has `ffi` and `lib`. Several processes may ask for the same module at once.
    """
    command = [*_compiler(), *_FLAGS, *flags]
    folders = [*dict.fromkeys(include_dirs), Path(sysconfig.get_paths()["include"])]
    tools = f"{platform.machine()} {program_identity(str(shutil.which(command[0])))}"
    names = {s: digest([tools, s.name, *command], reached(s, folders)) for s in sources}
    python = f"{sys.implementation.cache_tag} cffi {version('cffi')}"
    words = [tools, python, name, cdef, preamble, *command, *names.values()]
    whole = digest(words, reached_from(preamble, folders))
    module_name = f"_{name}_{whole}"
    file_name = module_name + sysconfig.get_config_var("EXT_SUFFIX")

    def make(home: Path) -> None:
        ffi = cffi.FFI()
        ffi.cdef(cdef)
        ffi.set_source(module_name, preamble)
        wrapper = home / f"{module_name}.c"
        with contextlib.redirect_stdout(io.StringIO()):  # cffi tells what it writes
            ffi.emit_c_code(str(wrapper))
        objects = [_object(command, s, folders, names[s]) for s in sources]
        # -O0: the wrapper, which only passes arguments on, takes a quarter of the time
        _compile([*command, "-O0"], [wrapper, *objects], folders, home / file_name)

    return _load(module_name, kept(folder, whole, make, done=file_name) / file_name)


def _object(command: Sequence[str], source: Path, folders: Sequence[Path], name: str) -> Path:
    def make(home: Path) -> None:
        _compile([*command, "-c"], [source], folders, home / _OBJECT)

    return kept("objects", name, make, done=_OBJECT) / _OBJECT


def _compiler() -> list[str]:
    """The command that links a module of this Python; it compiles as well."""
    command = shlex.split(sysconfig.get_config_var("LDSHARED") or "")
    if not command:
        raise BuildError("this Python cannot tell how its modules are linked; use Linux or macOS")
    candidates = [os.environ.get("CC", ""), command[0], "cc", "gcc", "clang"]
    for candidate in filter(None, candidates):
        words = shlex.split(candidate)
        if words and shutil.which(words[0]):
            return [*words, *command[1:]]
    raise BuildError("no C compiler found: install gcc (Debian: apt install gcc libc6-dev)")


def _compile(
    command: Sequence[str], sources: Sequence[Path], folders: Sequence[Path], output: Path
) -> None:
    includes = [f"-I{path}" for path in folders]
    words = [*command, *includes, *map(str, sources), "-o", str(output)]
    # the compiler's directory is the output's: whatever it leaves behind goes away with it
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=output.parent)
    if done.returncode == 0:
        return
    hint = "it failed"
    if "Python.h" in done.stderr:
        hint = "it needs Python's headers (Debian: apt install python3-dev)"
    raise BuildError(f"compiling {output.name}: {hint}\n{done.stderr.strip()}")


def _load(name: str, path: Path) -> ModuleType:
    loader = importlib.machinery.ExtensionFileLoader(name, str(path))
    spec = importlib.util.spec_from_file_location(name, path, loader=loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module
