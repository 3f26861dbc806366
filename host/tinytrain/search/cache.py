"""Finished simulations on disk, so that a search that was stopped goes on where it was."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from tinytrain.search.evaluate import Score
from tinytrain.search.pool import Pool, Scores, Task
from tinytrain.search.study import Study


class Cache:
    """A text file with one finished simulation a line, by a hash of all that it depends on.

    Lines that cannot be read (a write that was cut off) are left alone and do not count.
    """

    def __init__(self, path: Path | None = None) -> None:
        """path: None keeps everything in memory."""
        self.path = path
        self._known: dict[str, Scores] = {}
        if path is not None and path.exists():
            for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
                self._read(line)

    @property
    def count(self) -> int:
        """Finished simulations in it."""
        return len(self._known)

    def run(self, study: Study, tasks: Sequence[Task], pool: Pool) -> Iterator[tuple[Task, Scores]]:
        """What is known of the tasks, then what `pool` finds, noted as soon as it is there."""
        prefix = study.key()
        keys = {task: _key(prefix, task) for task in tasks}
        missing = [task for task, key in keys.items() if key not in self._known]
        for task, key in keys.items():
            if key in self._known:
                yield task, self._known[key]
        if not missing:
            return
        with self._open() as file:
            for task, scores in pool.run(study, missing):
                self._known[keys[task]] = scores
                if file is not None:
                    values = [[s.expected, s.quality] for s in scores]
                    file.write(json.dumps({"key": keys[task], "scores": values}) + "\n")
                    file.flush()
                yield task, scores

    def _read(self, line: str) -> None:
        try:
            entry = json.loads(line)
            scores = tuple(Score(float(e), float(q)) for e, q in entry["scores"])
            self._known[str(entry["key"])] = scores
        except (ValueError, KeyError, TypeError):
            return

    @contextmanager
    def _open(self) -> Iterator[TextIO | None]:
        if self.path is None:
            yield None
            return
        torn = self.path.exists() and not self.path.read_bytes().endswith(b"\n")
        with self.path.open("a", encoding="utf-8") as file:
            if torn:
                file.write("\n")
            yield file


def _key(prefix: str, task: Task) -> str:
    text = repr((prefix, task.scheme, task.split))
    return hashlib.sha256(text.encode()).hexdigest()[:32]
