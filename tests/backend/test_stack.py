"""The deepest chain of calls: frames from GCC, calls from the objects."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from support.assembly import disassembled
from tinytrain.backend.kernel_sources import include_dirs
from tinytrain.backend.stack import assembly_frame, deepest, frames
from tinytrain.errors import BuildError


def test_the_deepest_chain() -> None:
    calls = {"a": {"b", "c"}, "b": {"d"}, "c": set(), "d": set(), "e": {"d"}}
    frame = {"a": 8, "b": 16, "c": 100, "d": 90, "e": 20}
    assert deepest(calls, frame) == 8 + 16 + 90
    assert deepest({"a": {"b"}, "b": {"unknown"}}, {"a": 8, "b": 4}) == 12
    assert deepest({}, {}) == 0


def test_recursion_is_refused() -> None:
    with pytest.raises(BuildError, match="recursion: a -> b -> a"):
        deepest({"a": {"b"}, "b": {"a"}}, {"a": 8, "b": 8})


def test_frames_are_read(tmp_path: Path) -> None:
    first, second = tmp_path / "a.su", tmp_path / "b.su"
    first.write_text("a.c:12:5:one\t24\tstatic\na.c:30:6:two\t8\tstatic\n")
    second.write_text("b.c:3:12:two\t40\tdynamic,bounded\n")
    assert frames([first, second]) == {"one": 24, "two": 40}
    second.write_text("b.c:3:12:three\t40\tdynamic\n")
    with pytest.raises(BuildError, match="three has a frame of unknown size"):
        frames([second])


def test_frames_of_assembly(tmp_path: Path) -> None:
    source = tmp_path / "one.S"
    source.write_text("""
    push {r4-r7, lr}     @ push {r0}
    push {r1, r2} /* push {r0}
    push {r0} */
    sub sp, #20
    sub sp, sp, #4 // sub sp, #4
    add sp, #24
    """)
    assert assembly_frame(source) == 20 + 8 + 24


def test_macros_of_included_files_count_where_they_are_used(tmp_path: Path) -> None:
    source, folder = tmp_path / "one.S", tmp_path / "other"
    folder.mkdir()
    (folder / "registers.inc").write_text("""
    .macro save_low /* .endm */
    push {r4-r7, lr}
    .endm

    .macro save_all room=0
    save_low
    push {r4-r7}
    .endm

    .macro unused
    push {r0-r7}
    .endm
    """)
    source.write_text("""
#include "registers.inc"
    .macro own
    push {r0}
    .endm
one:
    save_all 4 // save_all
    own
    own
two: 1: save_low
    bl save_all
    """)
    assert assembly_frame(source, [folder]) == (20 + 16) + 4 + 20
    assert assembly_frame(source) == 4  # as the file is not found
    (tmp_path / "registers.inc").write_text("    .macro save_low\n    push {r7}\n    .endm\n")
    assert assembly_frame(source, [folder]) == 4 + 4  # beside the source first


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("target", ["armv6m", "armv7emsp"])
def test_no_assembled_kernel_takes_more(target: str, bits: int, tmp_path: Path) -> None:
    found = 0
    for source, listing in disassembled(target, bits, tmp_path):
        found += 1
        _, *functions = re.split(r"^\w+ <[\w.]+>:$", listing, flags=re.MULTILINE)
        frame = assembly_frame(source, include_dirs())
        for number, text in enumerate(functions):
            (part := tmp_path / f"{source.stem}{number}.S").write_text(text)
            assert assembly_frame(part) <= frame, (source.name, number)
    assert found
