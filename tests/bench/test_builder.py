"""Where nothing has changed, `tinytrain build` plans nothing and starts no program."""

from __future__ import annotations

import subprocess

import pytest

from bench.whole import EXAMPLES
from tinytrain import compilation
from tinytrain.build import build
from tinytrain.compilation import Options, compile_model
from tinytrain.errors import ImportModelError

MODEL = EXAMPLES / "digits" / "fashion.tflite"


def test_nothing_is_compiled_again(tmp_path, monkeypatch):
    first = build(MODEL, "rpi_pico", "last:2", tmp_path / "build")
    before = {path: path.read_bytes() for path in first.folder.rglob("*") if path.is_file()}

    def refuse(*args, **_):
        raise AssertionError(f"started {args}")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    monkeypatch.setattr(compilation, "plan_scheme", refuse)
    again = build(MODEL, "rpi_pico", "last:2", tmp_path / "build")
    assert before == {p: p.read_bytes() for p in again.folder.rglob("*") if p.is_file()}


def test_what_has_changed_is_planned_again(tmp_path):
    model, scheme = tmp_path / "model.tflite", tmp_path / "update.toml"
    model.write_bytes(MODEL.read_bytes())
    hashes = set()
    for text in ("biases = 1\n", "[layer.dense_1]\nweight = 1.0\n"):
        scheme.write_text(text)
        hashes |= {compile_model(model, str(scheme)).source.hash for _ in range(2)}
    hashes.add(compile_model(model, str(scheme), Options(gradients="int8")).source.hash)
    assert len(hashes) == 3
    model.write_bytes(b"no model")
    with pytest.raises(ImportModelError):
        compile_model(model, str(scheme))
