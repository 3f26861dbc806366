"""Where nothing has changed, `tinytrain build` starts no program."""

from __future__ import annotations

import subprocess

from bench.whole import EXAMPLES
from tinytrain.build import build

MODEL = EXAMPLES / "digits" / "fashion.tflite"


def test_nothing_is_compiled_again(tmp_path, monkeypatch):
    first = build(MODEL, "rpi_pico", "last:2", tmp_path / "build")
    before = {path: path.read_bytes() for path in first.folder.rglob("*") if path.is_file()}

    def refuse(*args, **_):
        raise AssertionError(f"started {args}")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    again = build(MODEL, "rpi_pico", "last:2", tmp_path / "build")
    assert before == {p: p.read_bytes() for p in again.folder.rglob("*") if p.is_file()}
