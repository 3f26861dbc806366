"""How long `tinytrain build` computes: seconds of CPU, all programs that it starts included.

The digits with an empty cache: that compiles the kernels, which `make setup` does. Then models that
it has not seen; each again, nothing having changed.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import drive
from rich.console import Console
from rich.table import Table

from bench.baseline import COUNTS, Figures, committed
from bench.whole import BOARDS, EXAMPLES, Subject, subjects

FIRST = Subject("digits", EXAMPLES / "digits" / "fashion.tflite", "all")
LIMITS = {"kws": 4.0, "mcunet": 10.0}
BUILT = ("micropython", "targets", "xtensa")  # what `make setup` puts into the cache


def seconds(subject: Subject, cache: Path, out: Path) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "tinytrain.cli", "build", str(subject.model)]
    command += ["--board", BOARDS["pico"], "--update", subject.update, "-o", str(out)]
    surroundings = {**os.environ, "TINYTRAIN_CACHE": str(cache)}
    subprocess.run(command, env=surroundings, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure() -> Figures:
    """Measure, print, and give what is kept."""
    found: dict[str, list[float]] = {}
    before = committed(COUNTS).get("builder", {})
    with tempfile.TemporaryDirectory() as name:
        cache = Path(name) / "cache"
        cache.mkdir()
        for part in BUILT:
            (cache / part).symlink_to(drive.cache_dir() / part)
        for subject in (FIRST, *(s for s in subjects() if s.name in LIMITS)):
            out = Path(name) / subject.name
            found[subject.name] = [round(seconds(subject, cache, out), 1) for _ in range(2)]
    result = Table(title="tinytrain build: seconds of CPU", title_justify="left")
    for heading in ("model", "first", "again", "target", "last commit"):
        result.add_column(heading, justify="left" if heading == "model" else "right")
    for model, times in found.items():
        old = ", ".join(map(str, before.get(model, [])))
        result.add_row(model, *map(str, times), str(LIMITS.get(model, "")), old)
    Console(width=120).print(result)
    return {"builder": found}


if __name__ == "__main__":
    measure()
