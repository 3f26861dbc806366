"""The measurements: both sides learn alike, rehearsal helps, and the page follows from the data."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"

pytest.importorskip("sklearn")
pytest.importorskip("skimage")
pytest.importorskip("torch")


def test_integers_learn_what_floats_learn() -> None:
    """The same pictures in the same order: alike after training, and better than chance."""
    from models import HEAD
    from study import Bench, recognise

    for bench in (Bench(HEAD), Bench(HEAD, floating=True)):
        assert np.mean([recognise(bench, 5, 100, seed) for seed in (100, 101)]) > 80


def test_losses_agree_before_training() -> None:
    from floating import FloatTrainer
    from models import HEAD

    compiled = HEAD.compiled()
    rng = np.random.default_rng(0)
    from simulated import BoardTrainer

    ours, theirs = BoardTrainer(compiled), FloatTrainer(compiled.graph, HEAD.update, {})
    ours.lr = theirs.lr = 0.0
    for label in range(6):
        x = bytearray(rng.integers(0, 256, 784, np.uint8).tobytes())
        z = ours.encode(x, bytearray(ours.latent_size))
        assert ours.step(z, label, latent=True) == ours.step(x, label)
        assert theirs.step(x, label) == pytest.approx(ours.step(x, label), abs=0.2)


def test_rehearsal_keeps_people(monkeypatch: pytest.MonkeyPatch) -> None:
    import study
    from models import HEAD

    monkeypatch.setattr(study, "STEPS", 150)
    bench = study.Bench(HEAD)
    alone, rehearsed = (study.forget(bench, kept, 7) for kept in (None, 8))
    assert alone["people before"] > 75
    assert rehearsed["people after"] > alone["people after"] + 30
    assert rehearsed["all four"] > 60


def test_builds_without_a_latent_keep_inputs() -> None:
    from learner import record_size
    from models import EVERYTHING
    from study import Bench

    learner = Bench(EVERYTHING).learner(2, 0)
    assert learner.trainer.latent_size == 0 and record_size(learner.trainer) == 784
    learner.pixels[:] = bytes(range(256)) * 3 + bytes(16)
    learner.show(1)
    kept = bytearray(784)
    learner.memory.records.read(1, 0, kept)
    assert kept != bytearray(784)
    assert learner.train(4) > 0 and learner.look()[0] == 1


def test_the_page_shows_what_was_measured() -> None:
    """Tables and picture are those of camera.json."""
    from results import TABLES
    from run import BEGIN, END

    values = json.loads((DOCS / "camera.json").read_text())
    page = (DOCS / "CAMERA.md").read_text()
    for name, table in TABLES.items():
        between = page.split(BEGIN.format(name))[1].split(END.format(name))[0]
        assert between.strip() == table(values).strip(), name


def test_the_claim() -> None:
    """People are recognised after less than ten minutes on a Pico, whatever the model."""
    values = json.loads((DOCS / "camera.json").read_text())
    for name, t in values["timing"].items():
        seconds = 2 * 10 * values["views"] * t["view_ms"] / 1000
        seconds += values["steps"] * t["step_ms"] / 1000
        assert seconds < 600 and np.mean(values["shots"][name]["10"]) > 90


def test_the_picture_follows_from_the_data(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from plot import plot

    values = json.loads((DOCS / "camera.json").read_text())
    for name in ("a.svg", "b.svg"):
        plot(values, tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
