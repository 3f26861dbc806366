"""What compilers made is found again exactly as long as nothing that it was made from changes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from support.small_module import STORE, build_small
from tinytrain.kernels import build_cache
from tinytrain.kernels.build_cache import kept, reached, reached_from
from tinytrain.kernels.extension import build_extension


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Every program that is run from now on."""
    found: list[list[str]] = []
    really = subprocess.run

    def run(command, *args, **kwargs):
        found.append(command)
        return really(command, *args, **kwargs)

    monkeypatch.setattr(subprocess, "run", run)
    return found


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    from tinytrain.resources import micropython_dir

    monkeypatch.setenv("MPY_DIR", str(micropython_dir()))
    monkeypatch.setenv("TINYTRAIN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.usefixtures("own_cache")
def test_a_module_is_made_once(tmp_path: Path, commands: list[list[str]]) -> None:
    def build(folder: str, value: str) -> bytes:
        (tmp_path / folder).mkdir(exist_ok=True)
        build_small(tmp_path / folder, "armv6m", "", f"{STORE}{value}));")
        return (tmp_path / folder / "small.mpy").read_bytes()

    first = build("a", "7")
    assert commands
    commands.clear()
    assert build("a", "7") == first
    assert build("b", "7") == first  # equal sources in another place
    assert not commands
    assert build("b", "8") != first
    assert any("-c" in command for command in commands)


def extension(folder: Path, value: int, other: int = 0) -> int:
    (folder / "value.h").write_text(f"#define VALUE {value}\n")
    (folder / "one.c").write_text('#include "value.h"\nint f(void) { return VALUE; }\n')
    (folder / "two.c").write_text(f"int g(void) {{ return {other}; }}\n")
    sources = [folder / "one.c", folder / "two.c"]
    text = "int f(void); int g(void);"
    return build_extension("once", text, sources, [folder], (), text).lib.f()


@pytest.mark.usefixtures("own_cache")
def test_only_what_depends_on_a_change_is_compiled(
    tmp_path: Path, commands: list[list[str]]
) -> None:
    def compiled() -> list[str]:
        names = [Path(w).name for c in commands if "-c" in c for w in c if w.endswith(".c")]
        commands.clear()
        return names

    assert extension(tmp_path, 1) == 1
    assert compiled() == ["one.c", "two.c"]
    assert extension(tmp_path, 1) == 1
    assert not commands
    assert extension(tmp_path, 2) == 2  # the header
    assert compiled() == ["one.c"]
    assert extension(tmp_path, 2, 5) == 2
    assert compiled() == ["two.c"]
    assert extension(tmp_path, 1) == 1  # both known, and so is what they make
    assert not commands


def test_headers_are_followed_through_folders_and_macros(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    (tmp_path / "main.c").write_text('#include "a.h"\n  # include <stdint.h>\n#include CONFIG\n')
    (one / "a.h").write_text("#if 0\n#include <b.h>\n#endif\n")
    (two / "a.h").write_text("")
    (two / "b.h").write_text('#include "a.h"\n')  # the one beside it
    (two / "c.h").write_text('#include "c.h"\n')
    found = reached(tmp_path / "main.c", [one, two], ["CONFIG=<c.h>", "NDEBUG"])
    names = {str(path.relative_to(tmp_path)) for path in found}
    assert names == {"main.c", "one/a.h", "two/b.h", "two/a.h", "two/c.h"}
    assert reached_from('#include "b.h"', [one, two]) == [two / "b.h", two / "a.h"]


def test_entries_that_nobody_asks_for_go(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_cache, "MOST_ENTRIES", 4)
    for i in range(5):
        home = kept("some", f"e{i}", lambda folder: (folder / "done").touch() or None, "done")
        os.utime(home, (i, i))
    assert kept("some", "e0", lambda _: pytest.fail("it is there"), "done")
    kept("some", "new", lambda folder: (folder / "done").touch() or None, "done")
    left = {path.name for path in (own_cache / "some").iterdir()}
    assert left == {"e0", "e3", "e4", "new"}


def test_a_failure_leaves_nothing(own_cache: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise OSError("full")

    with pytest.raises(OSError, match="full"):
        kept("some", "entry", fail, "done")
    assert not list((own_cache / "some").iterdir())
