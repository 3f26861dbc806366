"""Compiles C into a module of this Python through cffi's API mode, once for each set of sources.

The C compiler sees cffi's declarations beside the real ones, and so confirms every struct and
signature. Results are kept in the user's cache, under a hash of everything that went in.
"""

from __future__ import annotations

import contextlib
import hashlib
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
import tempfile
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Final

import cffi

from tinytrain.errors import BuildError

_FLAGS: Final = ("-std=c99", "-O2", "-g0", "-fPIC", "-fvisibility=hidden")


def cache_dir() -> Path:
    """Where tinytrain keeps what it has built: $TINYTRAIN_CACHE, or the user's cache."""
    if own := os.environ.get("TINYTRAIN_CACHE"):
        return Path(own).absolute()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base).absolute() / "tinytrain"


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
    digest = _digest([name, cdef, preamble, *command], sources, include_dirs)
    module_name = f"_{name}_{digest}"
    home = cache_dir() / folder / digest
    file_name = module_name + sysconfig.get_config_var("EXT_SUFFIX")
    if not (home / file_name).exists():
        ffi = cffi.FFI()
        ffi.cdef(cdef)
        ffi.set_source(module_name, preamble)
        home.parent.mkdir(parents=True, exist_ok=True)
        # built beside its place and moved there whole: nobody ever sees a half-written module
        with tempfile.TemporaryDirectory(dir=home.parent) as folder_name:
            scratch = Path(folder_name) / digest
            scratch.mkdir()
            wrapper = scratch / f"{module_name}.c"
            with contextlib.redirect_stdout(io.StringIO()):  # cffi tells what it writes
                ffi.emit_c_code(str(wrapper))
            _compile(command, [wrapper, *sources], include_dirs, scratch / file_name)
            _publish(scratch, home, file_name)
    return _load(module_name, home / file_name)


def _publish(scratch: Path, home: Path, file_name: str) -> None:
    try:
        scratch.rename(home)
    except OSError:
        if not (home / file_name).exists():  # what lies there is no build of another process
            shutil.rmtree(home)
            scratch.rename(home)


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


def _digest(words: Sequence[str], sources: Sequence[Path], include_dirs: Sequence[Path]) -> str:
    """A name for what will be built: from all that it depends on."""
    state = hashlib.sha256()
    python = f"{sys.implementation.cache_tag} {platform.machine()} cffi {version('cffi')}"
    for word in (python, *words):
        state.update(word.encode() + b"\0")
    for file in _files(sources, include_dirs):
        state.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return state.hexdigest()[:20]


def _files(sources: Sequence[Path], include_dirs: Sequence[Path]) -> Iterator[Path]:
    """The sources, and the headers that may be included: beside them and in include_dirs."""
    yield from sorted(sources)
    for folder in sorted({*include_dirs, *(s.parent for s in sources)}):
        yield from sorted(folder.glob("*.h"))


def _compile(
    command: Sequence[str], sources: Sequence[Path], include_dirs: Sequence[Path], output: Path
) -> None:
    include_python = sysconfig.get_paths()["include"]
    includes = [f"-I{path}" for path in (*include_dirs, include_python)]
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
