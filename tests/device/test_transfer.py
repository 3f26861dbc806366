"""pull and push: trained parameters between an emulated Pico and this machine, and as a .tflite."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest

import tinytrain
from support.commands import tinytrain as command
from tinytrain.backend.connection import connect
from tinytrain.build import build, open_build
from tinytrain.codegen.checkpoint_file import Checkpoint
from tinytrain.sim.trainer import Trainer

from .test_parity import BOARDS, MODEL

pytestmark = pytest.mark.parametrize("board", ["pico"], indirect=True)

TRAIN = """
import binascii, gc, tinytrain
t = tinytrain.Trainer("model.ttw")
t.lr = 0.05
x = bytearray(784)
def fill(n):
    for i in range(784):
        x[i] = (i * (37 + n) + (i * i >> 3) * n) & 255
for n in range(6):
    fill(n)
    t.step(x, n)
print(binascii.crc32(t.state))
fill(9)
print(list(t.predict(x)))
"""
RAW = "vfs.rom_ioctl(2, 0)"


def sample(n: int) -> np.ndarray:
    i = np.arange(784)
    return (i * (37 + n) + (i * i >> 3) * n & 255).astype(np.uint8).view(np.int8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(MODEL, BOARDS["pico"], "last:2", tmp_path_factory.mktemp("transfer")).folder


def prediction(model: Path, x: np.ndarray) -> list[int]:
    micro = pytest.importorskip("tflite_micro")
    interpreter = micro.runtime.Interpreter.from_file(str(model))
    interpreter.set_input(x.reshape(1, 28, 28, 1), 0)
    interpreter.invoke()
    return [int(v) for v in interpreter.get_output(0).reshape(-1)]


@pytest.mark.parametrize("device", ["", RAW], ids=["file", "raw"])
def test_there_and_back(folder: Path, port: str, device: str, tmp_path: Path) -> None:
    options = ("--device", device) if device else ("--checkpoint", "mine.tts")
    result = command("pull", folder, "--port", port, *options)
    assert result.returncode == 2 and "no checkpoint on the board" in result.stderr
    where = device or "'mine.tts'"
    with connect(port) as there:
        for name in ("tinytrain.mpy", "model.ttw"):
            there.write_file(name, (folder / name).read_bytes())
        state, output = there.run(TRAIN, "training", 120).splitlines()
        there.run(f"import vfs\nt.save({where})", "saving")
    result = command("pull", folder, "--port", port, *options)
    assert result.returncode == 0, result.stderr
    assert f"checkpoint 1 from {0 if device else 'mine.tts'}: " in result.stdout

    trainer = Trainer(open_build(folder))
    trainer.lr = 0.05
    for n in range(6):
        trainer.step(sample(n), n)
    pulled = Checkpoint.from_bytes((folder / "trained.tts").read_bytes())
    assert pulled.state == trainer.state.tobytes() and int(state) == zlib.crc32(pulled.state)
    assert str(trainer.predict(sample(9)).reshape(-1).tolist()) == output
    assert str(prediction(folder / "trained.tflite", sample(9))) == output
    again = tinytrain.simulate(folder / "trained.tflite", update="none")
    assert str(again.predict(sample(9)).reshape(-1).tolist()) == output

    trainer.load(folder / "trained.tts")
    for n in range(6, 10):
        trainer.step(sample(n), n)
    mine = tmp_path / "further.tts"
    trainer.save(mine)
    result = command("push", folder, "--port", port, "--from", mine, *options)
    assert result.returncode == 0, result.stderr
    assert f"stored as checkpoint 2 in {1 if device else 'mine.tts'}" in result.stdout
    with connect(port) as there:
        there.run("import binascii, tinytrain, vfs\nt = tinytrain.Trainer('model.ttw')", "making")
        assert there.run(f"print(t.load({where}))", "loading") == (
            "(1, 2)" if device else "('mine.tts', 2)"
        )
        said = there.run("print(binascii.crc32(t.state))", "asking")
        assert int(said) == zlib.crc32(trainer.state.tobytes())


def test_other_models_are_refused(folder: Path, port: str, tmp_path: Path) -> None:
    other = build(MODEL, BOARDS["pico"], "bias:2", tmp_path / "other").folder
    trainer = Trainer(open_build(other))
    trainer.save(tmp_path / "other.tts")
    result = command("push", folder, "--port", port, "--from", tmp_path / "other.tts")
    assert result.returncode == 2 and "another model or update scheme" in result.stderr
    result = command("push", folder, "--port", port, "--from", tmp_path / "nothing.tts")
    assert result.returncode == 2 and "nothing.tts" in result.stderr
    assert command("push", other, "--port", port, "--from", tmp_path / "other.tts").returncode == 0
    result = command("pull", folder, "--port", port)
    assert (
        result.returncode == 2 and "model.tts on the board: checkpoint: of another" in result.stderr
    )
    assert "Traceback" not in result.stderr
