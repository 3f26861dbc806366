"""C sources to a native MicroPython module: compile, drop what nobody calls, check, link.

MicroPython's linker script (tools/mpy_ld.py) lays out every section of every object it is given.
So the compiler's own linker merges the objects first, with `-r --gc-sections` and mpy_init as the
root: relocations and local symbols survive as mpy_ld.py wants them, provided that each function and
constant has a section of its own, and that unwind tables, which refer to all functions, are off. On
RISC-V the second relocation of a PC-relative pair names a label at the place of the first; such
labels survive too. What does not work by itself: undefined names that only dropped functions used
stay in the symbol table, and mpy_ld.py then asks for them, so they are hidden from it; and on
Xtensa it tells literals apart by file and offset, so all of them have to be in one section.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from tinytrain.backend.object_lint import check_object, hide_unused_names
from tinytrain.backend.stack import worst_stack
from tinytrain.backend.toolchain import Toolchain, toolchain
from tinytrain.backend.zig import zig_toolchain
from tinytrain.errors import BuildError
from tinytrain.kernels.build_cache import digest, kept, reached, reached_from
from tinytrain.plan.report import Code
from tinytrain.resources import micropython_dir, mpy_module_dir

Progress = Callable[[str, int, int], None]  # what, steps done, steps in all

COMPILERS: Mapping[str, Callable[[str, str], Toolchain]] = {
    "gnu": toolchain,
    "zig": zig_toolchain,
}
ENTRY = "mpy_init"
QSTRS = "qstrs.config.h"
MERGED, MODULE, REPORT = "module.o", "module.mpy", "report.json"
OBJECT, FRAMES = "object.o", "object.su"
# a change in how modules are made makes new ones
_OWN_FILES = [Path(__file__).parent / f"{n}.py" for n in ("natmod", "object_lint", "stack", "zig")]
ONE_LITERAL_SECTION = "SECTIONS { .literal : { *(.literal .literal.*) } }\n"

CODE_FLAGS = (
    "-std=c99",
    "-fpic",
    "-fno-common",
    "-ffreestanding",
    "-ffunction-sections",
    "-fdata-sections",
    "-fno-jump-tables",  # on armv6m they call libgcc
    "-fno-asynchronous-unwind-tables",
    "-U_FORTIFY_SOURCE",
)
GNU_FLAGS = (
    "-fno-tree-loop-distribute-patterns",  # loops stay loops, not calls of memset
    "-Wall",
    "-Wextra",
    "-Wpedantic",
    "-Wshadow",
    "-Wconversion",
    "-Wsign-conversion",
    "-Wstrict-prototypes",
    "-Wmissing-prototypes",
    "-Wundef",
    "-Wwrite-strings",
    "-Werror",
)
# No float at all: the module would have to agree with the firmware on how calls pass them.
MICROPYTHON_FLAGS = (
    "-DNDEBUG",
    "-DNO_QSTR",
    "-DMICROPY_ENABLE_DYNRUNTIME",
    "-DMICROPY_USE_INTERNAL_ERRNO=1",
    "-DMICROPY_FLOAT_IMPL=MICROPY_FLOAT_IMPL_NONE",
    f"-DMP_CONFIGFILE=<{QSTRS}>",
)


@dataclass(frozen=True, slots=True)
class NatmodReport:
    """A built module. Bytes: code, constants and zeroed data as linked; ram_bytes is what the board
    loads (all three, the offset table and alignment included); file_bytes is the .mpy itself;
    stack_bytes is the deepest stack of the module's own code."""

    target: str
    text: int
    rodata: int
    bss: int
    ram_bytes: int
    file_bytes: int
    sha256: str
    stack_bytes: int

    def code(self, fast: bool) -> Code:
        """For reports."""
        return Code(self.ram_bytes, self.file_bytes, self.stack_bytes, fast)


def build_natmod(
    sources: Sequence[Path],
    include_dirs: Sequence[Path],
    target: str,
    out: Path,
    work_dir: Path,
    *,
    compact: Collection[Path] = (),
    whole: Collection[Path] = (),
    defines: Sequence[str] = (),
    bss: Collection[str] = (),
    core: str = "",
    compiler: str = "gnu",
    jobs: int = 2,
    progress: Progress = lambda what, done, total: None,
) -> NatmodReport:
    """Build the module `out` for a target. The bytes depend on the sources and the tools alone.

    compact: sources to be compiled for size instead of speed. whole: those of them, in C and with
    mpy_init, that no others refer to; they are compiled as one. defines: macros, "NAME=VALUE".
    bss: the only zeroed variables that the module may have (global ones: a static one would not be
    relocated). core: see toolchain(). compiler: "gnu" or "zig".
    """
    tools = COMPILERS[compiler](target, core)
    work_dir.mkdir(parents=True, exist_ok=True)
    system = (mpy_module_dir() / "freestanding", micropython_dir())
    folders = (work_dir, *include_dirs)
    builder = _Builder(
        tools,
        tools.identity(),
        work_dir.absolute(),  # where the tools run
        tuple(folder.absolute() for folder in folders),
        system,
        (*_compile_flags(tools), *(f"-D{text}" for text in defines)),
    )
    builder.collect_qstrs(sources)
    units = [_Unit((source,), "-Os" if source in compact else "-O2") for source in sources]
    units = [unit for unit in units if unit.files[0] not in whole]
    if together := tuple(source for source in sources if source in whole):
        units.insert(0, _Unit(together, "-Os", whole=True))
    names = [builder.name(unit) for unit in units]

    def make(folder: Path) -> None:
        objects = []
        with ThreadPoolExecutor(max_workers=jobs) as pool:
            for unit, found in zip(units, pool.map(builder.compiled, units, names), strict=True):
                objects.append(found)
                progress(f"compiling {unit.title}", len(objects), len(units) + 1)
        report = builder.link(units, objects, bss, out.name)
        shutil.copyfile(work_dir / MERGED, folder / MERGED)
        shutil.move(work_dir / out.name, folder / MODULE)
        (folder / REPORT).write_text(json.dumps(asdict(report)))

    # the linker keeps the file's name in the module
    words = [builder.identity, out.name, *names, *sorted(bss)]
    entry = kept("modules", digest(words, [*_linker_files(), *_OWN_FILES]), make, done=REPORT)
    shutil.copyfile(entry / MERGED, work_dir / MERGED)
    out.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(entry / MODULE, out)
    progress(f"linked {out.name}", len(units) + 1, len(units) + 1)
    return NatmodReport(**json.loads((entry / REPORT).read_text()))


@dataclass(frozen=True, slots=True)
class _Unit:
    """What the compiler gets at once: a source, or all that are compiled as one."""

    files: tuple[Path, ...]
    level: str
    whole: bool = False

    @property
    def title(self) -> str:
        return f"{len(self.files)} files as one" if self.whole else self.files[0].name


@dataclass(frozen=True, slots=True)
class _Builder:
    """Runs the tools in work_dir, for what the cache does not have.

    folders, system: where headers are looked for, in this order. Only the compiler's own are used
    besides ours and MicroPython's: no C library. flags: everything else.
    """

    tools: Toolchain
    identity: str
    work_dir: Path
    folders: tuple[Path, ...]
    system: tuple[Path, ...]
    flags: tuple[str, ...]

    def collect_qstrs(self, sources: Sequence[Path]) -> None:
        """Write QSTRS, the names that all sources use."""

        def make(folder: Path) -> None:
            places = [str(source.absolute()) for source in sources]
            self.mpy_ld("--preprocess", "-o", str(folder / QSTRS), *places)

        name = digest([self.tools.target], [*_linker_files(), *sources])
        shutil.copyfile(kept("qstrs", name, make, done=QSTRS) / QSTRS, self.work_dir / QSTRS)

    def name(self, unit: _Unit) -> str:
        """For a unit's object in the cache."""
        defines = [f.removeprefix("-D") for f in self.flags]
        folders = (*self.folders, *self.system)
        files = [f for path in unit.files for f in reached(path.absolute(), folders, defines)]
        files += reached_from(self.tools.prelude, folders) if unit.whole else []
        titles = [path.name for path in unit.files]
        flags = (*self.flags, unit.level, *(self.tools.whole if unit.whole else ()))
        return digest([self.identity, *titles, *flags, str(unit.whole)], files)

    def compiled(self, unit: _Unit, name: str) -> Path:
        """The cache's folder with a unit's object and, unless it is assembly, its frames."""
        source, flags = unit.files[0].absolute(), (*self.flags, unit.level)
        if unit.whole:
            source, flags = self.work_dir / f"{name}.c", (*flags, *self.tools.whole)
            lines = [f'#include "{path.absolute()}"' for path in unit.files]
            source.write_text("\n".join([self.tools.prelude, *lines, ""]))

        def make(folder: Path) -> None:
            tools = self.tools
            command = [*tools.compiler(), *flags, *tools.stack_usage(f"{name}.o")]
            command += [f"-I{place}" for place in self.folders]
            ours, *rest = self.system
            for place in (ours, tools.include_dir(), *rest):
                command += ["-isystem", str(place)]
            command += ["-c", str(source), "-o", f"{name}.o"]
            self.run(command, f"{unit.title} does not compile for {tools.target}")
            for kind in ("o", "su"):
                if (path := self.work_dir / f"{name}.{kind}").exists():
                    shutil.move(path, folder / f"object.{kind}")

        return kept("objects", name, make, done=OBJECT)

    def link(
        self, units: Sequence[_Unit], objects: Sequence[Path], bss: Collection[str], out: str
    ) -> NatmodReport:
        """Write MERGED and the module `out`."""
        merged = self.work_dir / MERGED
        self.merge([str(entry / OBJECT) for entry in objects])
        sizes = check_object(merged, bss)
        said = self.mpy_ld("--qstrs", QSTRS, "-o", out, MERGED)
        loaded = re.findall(r"^(?:text|rodata|bss) size: +(\d+)$", said, re.MULTILINE)
        data = (self.work_dir / out).read_bytes()
        usages = [entry / FRAMES for entry in objects if (entry / FRAMES).exists()]
        assembly = [path for unit in units for path in unit.files if path.suffix == ".S"]
        return NatmodReport(
            self.tools.target,
            *sizes,
            sum(map(int, loaded)),
            len(data),
            hashlib.sha256(data).hexdigest(),
            worst_stack(merged, usages, assembly, self.folders),
        )

    def merge(self, objects: Sequence[str]) -> None:
        """One relocatable object with what is reachable from the entry."""
        command = self.tools.merger(ENTRY)
        if self.tools.target == "xtensawin":
            (self.work_dir / "literals.ld").write_text(ONE_LITERAL_SECTION)
            command += ["-Wl,--no-relax", "-Wl,-T,literals.ld"]
        failure = f"the objects for {self.tools.target} cannot be merged"
        self.run([*command, *objects, "-o", MERGED], failure)
        hide_unused_names(self.work_dir / MERGED)
        self.tools.finish(self.work_dir / MERGED)

    def mpy_ld(self, *arguments: str) -> str:
        """Run MicroPython's linker; what it says."""
        script = micropython_dir() / "tools" / "mpy_ld.py"
        command = [sys.executable, str(script), "--arch", self.tools.target, *arguments]
        return self.run(command, f"MicroPython's linker refuses the module for {self.tools.target}")

    def run(self, command: Sequence[str], failure: str) -> str:
        """Run a tool; what it says, or a BuildError that begins with `failure`."""
        result = subprocess.run(
            command,
            cwd=self.work_dir,
            capture_output=True,
            text=True,
            check=False,
            env=self.tools.surroundings(),
        )
        if result.returncode != 0:
            said = (result.stdout + result.stderr).strip()
            if "Traceback (most recent call last)" in said:  # of a tool in Python: how it ends
                said = said.splitlines()[-1]
            raise BuildError(f"{failure}:\n{said[-4000:]}")
        return result.stdout


def _compile_flags(tools: Toolchain) -> list[str]:
    """All but the folders."""
    flags = [*tools.flags, *CODE_FLAGS, *MICROPYTHON_FLAGS, "-nostdinc"]
    return [*flags, *(GNU_FLAGS if tools.gnu else ())]


def _linker_files() -> list[Path]:
    """What MicroPython's linker consists of."""
    tree = micropython_dir()
    tools = [tree / "tools" / name for name in ("mpy_ld.py", "ar_util.py")]
    return [*tools, tree / "py" / "makeqstrdata.py"]
