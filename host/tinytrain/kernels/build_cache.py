"""Keeps what compilers have made, under a name for everything that it was made from.

An entry is a folder `cache/KIND/DIGEST`. Its digest covers contents and never places, so that
equal sources in another tree find the same entry. Nothing is ever changed in place: there is no
way to get a stale one, and any of them may be deleted at any time.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Final

from tinytrain.resources import cache_dir

MOST_ENTRIES: Final = 4000  # of a kind; an object file takes some kilobytes
_INCLUDE: Final = re.compile(
    rb'^[ \t]*#[ \t]*include[ \t]+(?:["<]([^">]+)[">]|(\w+))', re.MULTILINE
)


def kept(kind: str, name: str, make: Callable[[Path], None], done: str = "") -> Path:
    """The entry of that name; if there is none, `make` fills a new folder with it.

    done: a file that every whole entry has. Several processes may make the same entry at once.
    """
    home = cache_dir() / kind / name
    if (home / done).exists():
        with contextlib.suppress(OSError):  # a cache that may only be read
            os.utime(home)
        return home
    home.parent.mkdir(parents=True, exist_ok=True)
    _forget_oldest(home.parent)
    # made beside its place and moved there whole: nobody ever sees half an entry
    with tempfile.TemporaryDirectory(dir=home.parent, prefix=".") as scratch:
        folder = Path(scratch) / name
        folder.mkdir()
        make(folder)
        try:
            folder.rename(home)
        except OSError:
            if not (home / done).exists():  # what lies there was not made by another process
                shutil.rmtree(home)
                folder.rename(home)
    return home


def _forget_oldest(folder: Path) -> None:
    """Halve what is kept if that is too much: entries that nobody asked for lately go."""
    with os.scandir(folder) as found:
        entries = [e for e in found if not e.name.startswith(".")]
    if len(entries) > MOST_ENTRIES:
        ages = []
        for entry in entries:
            with contextlib.suppress(FileNotFoundError):
                ages.append((entry.stat().st_mtime_ns, entry.path))
        for age, path in sorted(ages)[: len(ages) // 2]:
            # deleting takes a while, in which somebody may have come to need this one
            with contextlib.suppress(FileNotFoundError):
                if Path(path).stat().st_mtime_ns == age:
                    shutil.rmtree(path, ignore_errors=True)


def digest(words: Iterable[str], files: Iterable[Path] = ()) -> str:
    """A name for what follows from words and from the contents of files."""
    state = hashlib.sha256()
    for word in words:
        state.update(word.encode() + b"\0")
    for file in files:
        state.update(_content(file, _age(file))[0])
    return state.hexdigest()[:24]


def program_identity(path: Path | str) -> str:
    """What tells a program from another version of it: place, size and age."""
    status = Path(path).resolve().stat()
    return f"{Path(path).resolve()} {status.st_size} {status.st_mtime_ns}"


def reached(source: Path, folders: Sequence[Path], defines: Collection[str] = ()) -> list[Path]:
    """A source and all files that it may include, wherever `folders` has them, in a fixed order.

    Conditions are not evaluated: what only another configuration includes counts too. A file that
    is named by a macro is looked up in defines, "NAME=<FILE>". What is in none of the folders is
    the compiler's own.
    """
    macros = dict(d.split("=", 1) for d in defines if "=" in d)
    found = {source: None}
    waiting = [source]
    while waiting:
        file = waiting.pop()
        for name in _content(file, _age(file))[1]:
            place = _find(macros.get(name, name).strip('<">'), (file.parent, *folders))
            if place is not None and place not in found:
                found[place] = None
                waiting.append(place)
    return list(found)


def reached_from(text: str, folders: Sequence[Path]) -> list[Path]:
    """What a piece of C may include."""
    places = (_find(name, folders) for name in _included(text.encode()))
    return [file for place in places if place is not None for file in reached(place, folders)]


def _find(name: str, folders: Sequence[Path]) -> Path | None:
    places = (os.path.join(folder, name) for folder in folders)  # noqa: PTH118  thousands of them
    found = next(filter(os.path.isfile, places), None)
    return None if found is None else Path(found)


def _age(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_mtime_ns, status.st_size


@cache
def _content(path: Path, age: tuple[int, int]) -> tuple[bytes, tuple[str, ...]]:
    """Hash of a file, and what it includes; age: so that a changed file is read again."""
    del age
    data = path.read_bytes()
    return hashlib.sha256(data).digest(), _included(data)


def _included(data: bytes) -> tuple[str, ...]:
    return tuple((quoted or macro).decode() for quoted, macro in _INCLUDE.findall(data))
