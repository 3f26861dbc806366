"""The deepest stack of a module's own code: frames from the compiler, calls from the merged object.

The compiler writes the frame of each function. A relocation in a function's section that
names another function counts as a call of it, whether it is one or takes its address. What the
firmware does when the module calls it comes on top: those calls go through a table and are not
seen here.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Final

from tinytrain.backend.object_lint import calls_of
from tinytrain.errors import BuildError
from tinytrain.kernels.build_cache import reached

Calls = Mapping[str, Collection[str]]
Macros = Mapping[str, str]

_COMMENT: Final = re.compile(r"/\*.*?\*/|(?:@|//)[^\n]*", re.DOTALL)
_MACRO: Final = re.compile(r"^\s*\.macro\s+(\w+)(.*?)^\s*\.endm\b", re.DOTALL | re.MULTILINE)
_USE: Final = re.compile(r"\s*(?:[\w.$\\]+:\s*)*(\w+)")  # what follows the labels of a line


def worst_stack(
    merged: Path,
    usages: Collection[Path],
    assembly: Collection[Path] = (),
    folders: Sequence[Path] = (),
) -> int:
    """Bytes of the deepest chain of calls in a merged object; usages: the .su files; assembly:
    sources whose functions have none; folders: where what they include is looked for."""
    calls, frame = calls_of(merged), dict(frames(usages))
    most = max((assembly_frame(path, folders) for path in assembly), default=0)
    for name in {*calls, *(callee for called in calls.values() for callee in called)}:
        frame[name] = frame.get(name.partition(".")[0], most)  # GCC's clones: name.constprop.0
    return deepest(calls, frame)


def assembly_frame(source: Path, folders: Sequence[Path] = ()) -> int:
    """Bytes of stack that everything in a file of ARM assembly takes at most, as if each function
    called all others: the registers pushed, and what is subtracted from sp.

    Macros of included files count where they are used, those of the file itself once.
    """
    text, *included = (_COMMENT.sub(" ", p.read_text()) for p in reached(source, folders))
    return _taken(text, {name: body for more in included for name, body in _MACRO.findall(more)})


def _taken(text: str, macros: Macros) -> int:
    total = 0
    for line in text.splitlines():
        if pushed := re.search(r"\bpush\s*\{([^}]*)\}", line):
            total += 4 * sum(map(_registers, pushed[1].split(",")))
        elif moved := re.search(r"\bsub\s+sp,\s*(?:sp,\s*)?#(\d+)", line):
            total += int(moved[1])
        elif (used := _USE.match(line)) and used[1] in macros:
            total += _taken(macros[used[1]], macros)
    return total


def _registers(text: str) -> int:
    """How many a name or a range such as r4-r7 stands for."""
    first, _, last = text.strip().partition("-")
    return int(last[1:]) - int(first[1:]) + 1 if last else 1


def frames(usages: Collection[Path]) -> Mapping[str, int]:
    """Bytes of each function's frame; of functions of one name the largest."""
    found: dict[str, int] = {}
    for path in usages:
        for line in path.read_text().splitlines():
            where, size, kind = line.split("\t")
            name = where.rsplit(":", 1)[1].partition(".")[0]
            if "dynamic" in kind and "bounded" not in kind:
                raise BuildError(f"{name} has a frame of unknown size: no alloca, no VLA")
            found[name] = max(found.get(name, 0), int(size))
    return found


def deepest(calls: Calls, frame: Mapping[str, int]) -> int:
    """The largest sum of frames along a chain of calls; BuildError if there is recursion."""
    open_calls: list[str] = []

    @cache
    def depth(name: str) -> int:
        if name in open_calls:
            raise BuildError(f"recursion: {' -> '.join([*open_calls, name])}")
        open_calls.append(name)
        below = max((depth(callee) for callee in calls.get(name, ())), default=0)
        open_calls.pop()
        return frame.get(name, 0) + below

    return max(map(depth, calls), default=0)
