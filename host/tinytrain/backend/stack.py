"""The deepest stack of a module's own code: frames from the compiler, calls from the merged object.

The compiler writes the frame of each function. A relocation in a function's section that
names another function counts as a call of it, whether it is one or takes its address. What the
firmware does when the module calls it comes on top: those calls go through a table and are not
seen here.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path

from tinytrain.backend.object_lint import calls_of
from tinytrain.errors import BuildError

Calls = Mapping[str, Collection[str]]


def worst_stack(merged: Path, usages: Collection[Path], assembly: Collection[Path] = ()) -> int:
    """Bytes of the deepest chain of calls in a merged object; usages: the .su files; assembly:
    sources whose functions have none."""
    calls, frame = calls_of(merged), dict(frames(usages))
    most = max((assembly_frame(path.read_text()) for path in assembly), default=0)
    for name in {*calls, *(callee for called in calls.values() for callee in called)}:
        frame[name] = frame.get(name.partition(".")[0], most)  # GCC's clones: name.constprop.0
    return deepest(calls, frame)


def assembly_frame(text: str) -> int:
    """Bytes of stack that everything in a file of ARM assembly takes at most, as if each function
    called all others: the registers pushed, and what is subtracted from sp."""
    total = 0
    for line in text.splitlines():
        code = line.partition("@")[0].partition("//")[0]
        if pushed := re.search(r"\bpush\s*\{([^}]*)\}", code):
            total += 4 * sum(map(_registers, pushed[1].split(",")))
        elif moved := re.search(r"\bsub\s+sp,\s*(?:sp,\s*)?#(\d+)", code):
            total += int(moved[1])
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
