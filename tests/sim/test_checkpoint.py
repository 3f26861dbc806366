"""Checkpoints on the host: slots, refusals, and whose state a file holds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import tinytrain
from support.trainers import compiled
from support.trainers import trainer as make
from tinytrain.codegen.checkpoint_file import Checkpoint, is_newer
from tinytrain.codegen.state_hash import state_hash
from tinytrain.compilation import compile_graph
from tinytrain.errors import DataError


@pytest.fixture
def trainer() -> tinytrain.Trainer:
    made = make("mobilenet", update="last:2")
    made.step(np.zeros(made.input_shape, np.int8), 1)
    return made


def test_the_newest_is_loaded_and_named(trainer: tinytrain.Trainer, tmp_path: Path) -> None:
    path = tmp_path / "a.tts"
    with pytest.raises(FileNotFoundError):
        trainer.load(path)
    states = []
    for label in range(4):
        trainer.step(np.full(trainer.input_shape, label, np.int8), label)
        states.append(trainer.state.tobytes())
        assert trainer.save(path) == (str(path), label + 1)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.tts", "a.tts~"]
    trainer.reset()
    trainer.lr = 0.5
    assert trainer.load(path) == (str(path), 4)
    assert trainer.state.tobytes() == states[3] and trainer.lr == 0.5
    path.unlink()
    assert trainer.load(path) == (f"{path}~", 3)
    assert trainer.state.tobytes() == states[2]


def test_another_models_checkpoint_is_refused(trainer: tinytrain.Trainer, tmp_path: Path) -> None:
    make("mobilenet", update="last:1").save(tmp_path / "a")
    make("mobilenet", 1, update="last:2").save(tmp_path / "b")
    before = trainer.state.tobytes()
    for name in "ab":
        with pytest.raises(DataError, match="another model or update scheme"):
            trainer.load(tmp_path / name)
    (tmp_path / "c").write_bytes(b"TTST")
    with pytest.raises(DataError, match=r"not a \.tts file"):
        trainer.load(tmp_path / "c")
    with pytest.raises(DataError, match="path or block device"):
        trainer.load(5)  # type: ignore[arg-type]
    assert trainer.state.tobytes() == before


def test_every_flipped_bit_is_seen(trainer: tinytrain.Trainer) -> None:
    whole = Checkpoint(trainer.compiled.source.state_hash, 3, trainer.state.tobytes()).to_bytes()
    rng = np.random.default_rng(0)
    places = [*range(32), *rng.integers(32, len(whole), 100).tolist()]
    for at in places:
        for bit in range(8):
            wrong = bytearray(whole)
            wrong[at] ^= 1 << bit
            with pytest.raises(DataError):
                Checkpoint.from_bytes(bytes(wrong))
    for length in (*range(40), *rng.integers(32, len(whole), 100).tolist()):
        with pytest.raises(DataError):
            Checkpoint.from_bytes(whole[:length])
    assert Checkpoint.from_bytes(whole + b"anything").sequence == 3


def test_builds_that_only_predict_have_no_checkpoints(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="only predicts"):
        make("mobilenet", update="none").save(tmp_path / "a")


def test_sequence_numbers_wrap_around() -> None:
    assert is_newer(1, 0) and not is_newer(0, 1) and not is_newer(5, 5)
    assert is_newer(0, 0xFFFFFFFF) and not is_newer(0xFFFFFFFF, 0)


def test_the_state_hash_is_of_model_and_layout_alone() -> None:
    _, one = compiled("mobilenet", 0, "last:2")
    expected = one.source.state_hash
    renamed = replace(one.graph, name="other")
    assert state_hash(renamed, one.program) == expected
    narrow = compile_graph(one.graph, "last:2", replace(one.options, gradients="int8"))
    assert narrow.source.hash != one.source.hash
    assert narrow.source.state_hash == expected  # other arithmetic, same parameters
    for update in ("last:1", "all", "bias:2"):
        assert compiled("mobilenet", 0, update)[1].source.state_hash != expected
    name, weight = next((n, t) for n, t in one.graph.tensors.items() if t.data is not None)
    data = weight.data.copy()  # type: ignore[union-attr]
    data.reshape(-1)[0] ^= 1
    tensors = dict(one.graph.tensors) | {name: replace(weight, data=data)}
    assert state_hash(replace(one.graph, tensors=tensors), one.program) != expected
