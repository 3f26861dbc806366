"""Moving the files of a finished build into its folder: all of them or none."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from tinytrain.errors import BuildError

SOURCE = "source"
"""The folder with what `sim` needs to build the same model again."""


def check_places(folder: Path, names: Iterable[str]) -> None:
    """BuildError if something lies where the files of a build will go and cannot be replaced."""
    for place in (folder / SOURCE, folder, *folder.parents):
        if place.exists() and not place.is_dir():
            raise BuildError(f"{place}: is a file, a folder is needed; name another one with -o")
    for name in names:
        if (folder / name).is_dir():
            raise BuildError(f"{folder / name}: is a folder, but the build writes such a file")


def publish(stage: Path, folder: Path) -> tuple[str, ...]:
    """Move the finished files into place, each one at once; returns the names of those left out."""
    finished = [p.relative_to(stage).as_posix() for p in sorted(stage.rglob("*")) if p.is_file()]
    check_places(folder, finished)
    kept = ("main.py",) if _is_edited(folder, stage / "main.py") else ()
    for name in finished:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if name not in kept:
            (stage / name).replace(folder / name)
    return kept


def _is_edited(folder: Path, new: Path) -> bool:
    """Whether the folder's main.py is the user's own: neither the last build's nor the new one."""
    try:
        found = (folder / new.name).read_bytes()
    except FileNotFoundError:
        return False
    try:
        generated = json.loads((folder / SOURCE / "build.json").read_text())["main_sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        generated = None
    return found != new.read_bytes() and hashlib.sha256(found).hexdigest() != generated
