"""deploy over mpremote's transport to emulated boards, with the hand-written model."""

from __future__ import annotations

import dataclasses
import hashlib
import struct
from collections.abc import Callable
from pathlib import Path

import drive
import pytest
import tiny_model

from tinytrain.backend.connection import connect
from tinytrain.backend.deploy import deploy
from tinytrain.backend.selftest import SelfTest
from tinytrain.codegen.checkpoint_file import Checkpoint
from tinytrain.errors import BoardError

Tiny = Callable[[str], Path]

pytestmark = pytest.mark.parametrize("board", ["pico", "m4f"], indirect=True)


def vector(tmp_path: Path) -> SelfTest:
    host = tiny_model.HostModel.compile(tmp_path)
    x = tiny_model.samples(1)[0][0]
    output = host.predict(x)
    host.set_rate(0.1)
    labels = [0, 1, 2, 3, 1]
    losses, states = [], []
    for y in labels:
        losses.append(struct.unpack("<f", struct.pack("<I", host.step(x, y)))[0])
        states.append(host.state.raw)
    files = {name: (tmp_path / name).read_bytes() for name in ("tinytrain.mpy", "model.ttw")}
    saved = Checkpoint(tiny_model.STATE_HASH, 1, states[-1]).to_bytes()
    return SelfTest.of(x, output, labels, 0.1, losses, states, b"", files, saved)


def changed(build_dir: Path, **files: bytes) -> None:
    """Replace files of the build as if it had been built so."""
    test = SelfTest.from_json((build_dir / "selftest.json").read_text())
    digests = dict(test.files)
    for name, data in (("tinytrain.mpy", files.get("mpy")), ("model.ttw", files.get("ttw"))):
        if data is not None:
            (build_dir / name).write_bytes(data)
            digests[name] = hashlib.sha256(data).hexdigest()
    (build_dir / "selftest.json").write_text(dataclasses.replace(test, files=digests).to_json())


@pytest.fixture
def build_dir(board: str, tiny: Tiny, tmp_path: Path) -> Path:
    return build_selftest(tiny(drive.targets()[board].arch), tmp_path)


def build_selftest(made: Path, tmp_path: Path) -> Path:
    """A build folder with the hand-written model."""
    for name in ("tinytrain.mpy", "model.ttw"):
        (tmp_path / name).write_bytes((made / name).read_bytes())
    (tmp_path / "main.py").write_text("print('main runs')\n")
    (tmp_path / "selftest.json").write_text(vector(tmp_path).to_json())
    return tmp_path


def test_deploy_verifies_bit_for_bit(build_dir: Path, port: str) -> None:
    said: list[str] = []
    moved: list[tuple[str, int, int]] = []
    result = deploy(build_dir, port, say=said.append, progress=lambda *what: moved.append(what))
    assert result.outcome.steps == 3
    assert result.outcome.heap_free > 100_000
    assert result.outcome.trainer.startswith("<Trainer tiny: (1, 16) int8")
    assert result.placement.place == "romfs"
    assert "bytes in place" in result.outcome.trainer
    assert any("3 losses and all 152 bytes of state are equal" in text for text in said)
    size = (build_dir / "tinytrain.mpy").stat().st_size
    assert ("tinytrain.mpy", size, size) in moved
    deploy(build_dir, port, with_main=True, say=said.append)  # again, over what is there
    assert any("copied main.py" in text for text in said)


def test_differences_are_found(build_dir: Path, port: str) -> None:
    right = SelfTest.from_json((build_dir / "selftest.json").read_text())
    loss = (right.losses[0], right.losses[1] ^ 1, *right.losses[2:])
    for wrong, message in (
        (dataclasses.replace(right, output=b"\0\0\0\0"), r"predict\(\) differs"),
        (dataclasses.replace(right, losses=loss), "loss of step 2 differs"),
        (
            dataclasses.replace(right, state_crcs=(1,) * 5),
            "state differs: the board has 152 bytes, CRC",
        ),
    ):
        (build_dir / "selftest.json").write_text(wrong.to_json())
        with pytest.raises(BoardError, match=message):
            deploy(build_dir, port)
    (build_dir / "selftest.json").write_text(right.to_json())
    deploy(build_dir, port)


def test_other_architectures_are_refused(build_dir: Path, port: str, tiny: Tiny) -> None:
    changed(build_dir, mpy=(tiny("rv32imc") / "tinytrain.mpy").read_bytes())
    with pytest.raises(
        BoardError, match=r"tinytrain.mpy is for rv32imc; build again with --board "
    ):
        deploy(build_dir, port)


def test_incomplete_builds_are_refused(build_dir: Path, port: str) -> None:
    (build_dir / "model.ttw").unlink()
    with pytest.raises(BoardError, match=r"model.ttw is missing: run `tinytrain build"):
        deploy(build_dir, port)
    changed(build_dir, ttw=tiny_model.weights_file(model_hash=3))
    with pytest.raises(BoardError, match=r"failed on the board: ValueError: weights: of another"):
        deploy(build_dir, port)


@pytest.mark.parametrize("name", ["tinytrain.mpy", "model.ttw"])
def test_damaged_builds_never_reach_the_board(build_dir: Path, name: str) -> None:
    """A cut module makes some boards hang at import: it is refused before the port is opened."""
    whole = (build_dir / name).read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    for damaged in (whole[: len(whole) // 2], whole + b"\0", bytes(flipped), b""):
        (build_dir / name).write_bytes(damaged)
        with pytest.raises(BoardError, match=f"{name} is damaged"):
            deploy(build_dir, "/dev/nowhere")


def test_a_board_that_hangs_is_given_up(port: str) -> None:
    with connect(port) as board, pytest.raises(BoardError, match="has not answered for 2 s"):
        board.run("while True: pass", "waiting", seconds=2)


def test_a_board_that_talks_for_ever_is_given_up(port: str) -> None:
    with connect(port) as board, pytest.raises(BoardError, match="no end after 2 s"):
        board.run("while True: print('x')", "listening", seconds=2)


def test_a_port_without_a_board(build_dir: Path) -> None:
    with pytest.raises(BoardError, match="cannot open /dev/nowhere"):
        deploy(build_dir, "/dev/nowhere")
