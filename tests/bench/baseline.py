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

COUNTS = Path(__file__).parent / "baseline.json"
SIZES = COUNTS.with_name("sizes.json")
SLACK = 0.02

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


def merged(old: Mapping[str, Any], new: Mapping[str, Any], levels: int = 2) -> Figures:
    """New figures beside old ones, which they replace by section, board and shape or model."""
    both = dict(old)
    for key, value in new.items():
        inside = levels > 0 and isinstance(value, Mapping)
        both[key] = merged(both.get(key, {}), value, levels - 1) if inside else value
    return both


def moved(found: Mapping[str, int], before: Mapping[str, int]) -> dict[str, str]:
    """What is further from the kept figure than SLACK, worse or better."""
    return {
        name: f"{before[name]:,} -> {n:,}"
        for name, n in found.items()
        if abs(n - before[name]) > SLACK * before[name]
    }


def change(new: float, old: float | None) -> str:
    return f"{100 * (new - old) / old:+.1f} %" if old else ""
