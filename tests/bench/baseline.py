"""Figures that were kept, to show differences to: as the last commit has them.

Counts are deterministic, so what a commit has kept is what measuring it again gives; and the tests
fail when they and the kept figures are apart, whether slower or faster (test_regression.py).
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Figures = dict[str, Any]


def kept(file: Path) -> Figures:
    """What the file has, with what was kept since the last commit."""
    found: Figures = json.loads(file.read_text()) if file.exists() else {}
    return found


def committed(file: Path) -> Figures:
    """What the last commit has in the file; where there is no git, the file itself."""
    command = ["git", "show", f"HEAD:./{file.name}"]
    try:
        said = subprocess.run(command, cwd=file.parent, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return kept(file)
    found: Figures = json.loads(said)
    return found


def keep(file: Path, found: Mapping[str, Any]) -> None:
    """Put figures in the file, beside others that it has."""
    file.write_text(json.dumps(merged(kept(file), found), indent=1) + "\n")


def merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> Figures:
    both = dict(old)
    for key, value in new.items():
        known = both.get(key)
        inside = isinstance(value, Mapping) and isinstance(known, Mapping)
        both[key] = merged(known, value) if inside else value
    return both


def change(new: float, old: float | None) -> str:
    return f"{100 * (new - old) / old:+.1f} %" if old else ""
