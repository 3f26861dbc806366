"""The accuracy benchmark runs, and its two sides start from the same network."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
RUN = EXAMPLES / "accuracy" / "run.py"

pytest.importorskip("sklearn")
pytest.importorskip("torch")


@pytest.fixture(autouse=True)
def _examples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLES))


def test_sides_agree_before_training() -> None:
    from accuracy.learners import Float, Integer
    from accuracy.tasks import digits

    episode = digits(0)
    sample = episode.tests["test"][:200]
    integer, floating = Integer(episode.graph, "all"), Float(episode.graph, "all")
    assert integer.accuracy(sample) == pytest.approx(floating.accuracy(sample), abs=0.03)
    losses = [
        (integer.step(x, int(y), 0.0), floating.step(x, int(y), 0.0))
        for x, y in zip(sample.x[:50], sample.y[:50], strict=True)
    ]
    ours, theirs = np.mean(losses, axis=0)
    assert ours == pytest.approx(theirs, rel=0.05)


def test_new_head_keeps_old_rows_and_starts_at_zero() -> None:
    from accuracy.heads import with_classes
    from accuracy.learners import Float, Integer
    from accuracy.models import FASHION_MODEL
    from tinytrain.importers import load

    old = load(FASHION_MODEL)
    x = np.random.default_rng(0).integers(-128, 128, (28, 28, 1)).astype(np.int8)
    fresh = with_classes(old, 3)
    for learner in (Integer(fresh, "all"), Float(fresh, "all")):
        assert learner.step(x, 2, 0.0) == pytest.approx(np.log(3), rel=1e-3)
    before = Integer(old, "none").trainer.predict(x)
    extended = Integer(with_classes(old, 12, keep=10), "none").trainer.predict(x)
    assert np.argmax(before) == np.argmax(extended[:, :10])


@pytest.mark.slow
def test_every_precision_learns_and_is_another_one() -> None:
    from accuracy.benchmark import PRECISIONS
    from accuracy.learners import Integer
    from accuracy.tasks import digits
    from tinytrain.compilation import DEFAULTS

    episode, found = digits(0), {}
    for name, options in {"default": DEFAULTS, **PRECISIONS}.items():
        learner = Integer(episode.graph, "last:2", options)
        start = learner.trainer.parameters()
        start = {k: v.copy() for k, v in start.items()}
        for x, y, _ in list(episode.steps(0.01))[:5]:
            learner.step(x, y, 0.03)
        after = learner.trainer.parameters()
        found[name] = b"".join(v.tobytes() for k, v in after.items() if k.endswith("/weight"))
        assert any(not np.array_equal(start[k], after[k]) for k in start), name
    assert len(set(found.values())) == len(found)


@pytest.mark.slow
def test_command_prints_the_table() -> None:
    command = [sys.executable, RUN, "--task", "digits", "--seeds", "1", "--steps", "40"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    assert "ours, all layers (default)" in done.stdout


def test_faces_are_pictures_with_labels() -> None:
    pytest.importorskip("skimage")
    from accuracy.tasks import faces

    episode = faces(0, shots=5, epochs=2)
    assert len(episode.shots) == 10 and len(episode.stream) == 20
    assert len(episode.tests["test"]) == 190
