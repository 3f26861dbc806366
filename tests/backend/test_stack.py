"""The deepest chain of calls: frames from GCC, calls from the objects."""

from __future__ import annotations

from pathlib import Path

import pytest

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


def test_frames_of_assembly() -> None:
    text = """
    push {r4-r7, lr}     @ push {r0}
    push {r1, r2}
    sub sp, #20
    sub sp, sp, #4
    add sp, #24
    """
    assert assembly_frame(text) == 20 + 8 + 24
