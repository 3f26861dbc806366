"""The camera's program, with the simulator's Trainer: memory, views, commands, and a power cut."""

from __future__ import annotations

import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support.shared import path_of
from tinytrain.compilation import Compiled, Options, compile_model


@pytest.fixture(scope="module")
def model() -> Compiled:
    path = Path(__file__).resolve().parents[2] / "examples" / "accuracy" / "clothes8.tflite"
    return compile_model(path, "last:1", Options(classes=4))


class Scenes:
    """Frames that are bright at the top or at the bottom, in turn."""

    def __init__(self) -> None:
        self.rng, self.top = np.random.default_rng(3), True

    def capture(self, pixels: bytearray, shape: tuple[int, ...]) -> None:
        picture = self.rng.integers(0, 90, shape).astype(np.uint8)
        half = slice(0, 14) if self.top else slice(14, 28)
        picture[half] += 150
        pixels[:] = picture.tobytes()
        self.top = not self.top


def make(model: Compiled, folder: Path, source: Any = None, **options: Any) -> Any:
    from simulated import BoardTrainer

    from camera import Camera

    trainer = BoardTrainer(model)
    return Camera(source or Scenes(), trainer, folder=f"{folder}/", each=8, **options)


def taught(model: Compiled, folder: Path, **options: Any) -> Any:
    device = make(model, folder, **options)
    for _ in range(3):
        device.obey("this is top")
        device.obey("this is the bottom")
    device.obey("learn 60")
    return device


def test_it_recognises_what_it_was_shown(model: Compiled, tmp_path: Path) -> None:
    device = taught(model, tmp_path)
    answers = [device.obey("look") for _ in range(10)]
    assert [a.rpartition(" ")[0] for a in answers] == ["top", "the bottom"] * 5
    assert all(50 < float(a.rpartition(" ")[2][:-1]) <= 100 for a in answers)


@pytest.mark.parametrize("in_file", [False, True])
def test_a_power_cut_loses_what_came_after_the_save(
    model: Compiled, tmp_path: Path, in_file: bool
) -> None:
    """State, names and latents come back, and learning goes on as it would have."""
    device = taught(model, tmp_path, in_file=in_file)
    device.obey("save")
    if not in_file:
        device.obey("this is lost")
    again = make(model, tmp_path, in_file=in_file)
    assert again.obey("restore") == "restored" and again.names == ["top", "the bottom"]
    other = taught(model, tmp_path / "..", in_file=False)
    for each in (again, other):
        each.obey("learn 30")
    states = [each.learner.trainer.trainer.state for each in (again, other)]
    assert np.array_equal(*states)


def test_forgetting_and_what_is_refused(model: Compiled, tmp_path: Path) -> None:
    device = make(model, tmp_path)
    assert device.obey("restore") == "nothing to restore"
    for before in ("look", "learn", "nonsense", "this is", ""):
        assert device.obey(before).startswith("this is NAME, learn")
    device = taught(model, tmp_path)
    for name in ("c", "d"):
        device.obey(f"this is {name}")
    with pytest.raises(ValueError, match="no class is left"):
        device.obey("this is e")
    device.obey("forget")
    fresh = make(model, tmp_path).learner.trainer.trainer
    assert np.array_equal(device.learner.trainer.trainer.state, fresh.state)
    assert device.names == [] and device.learner.memory.known() == []


def test_the_memory_keeps_a_fair_sample() -> None:
    from memory import Block, Memory

    often: Counter[int] = Counter()
    for seed in range(200):
        memory = Memory(Block(2, 4, 1), 2, 4, seed * 97)
        for i in range(20):
            memory.add(1, bytes([i]))
        assert memory.known() == [1] and memory.kept(1) == 4
        record = bytearray(1)
        for place in range(4):
            memory.records.read(1, place, record)
            often[record[0]] += 1
    # each of 20 is kept with probability 1/5: 40 of 200, with a standard deviation of 5.7
    assert set(often) == set(range(20)) and all(18 < n < 65 for n in often.values())


def test_draws_are_balanced() -> None:
    from memory import Block, Memory

    memory = Memory(Block(3, 10, 1), 3, 10)
    for _ in range(10):
        memory.add(0, b"a")
    memory.add(2, b"c")
    record = bytearray(1)
    drawn = Counter(memory.draw(record, memory.known()) for _ in range(3000))
    assert set(drawn) == {0, 2} and abs(drawn[0] - 1500) < 150
    assert {memory.draw(record, [2]) for _ in range(9)} == {2} and record == b"c"


def test_views() -> None:
    """Beside numpy: mirrored, moved with the border repeated, saturated."""
    from views import VIEWS, view

    rng = np.random.default_rng(1)
    for shape in ((28, 28, 1), (56, 28, 3)):
        picture = rng.integers(0, 256, shape).astype(np.uint8)
        for mirror, right, down, light in VIEWS:
            out = bytearray(picture.size)
            view(picture.tobytes(), out, shape, mirror, right, down, light)
            rows = np.clip(np.arange(shape[0]) - down * shape[0] // 28, 0, shape[0] - 1)
            columns = np.clip(np.arange(shape[1]) - right * shape[1] // 28, 0, shape[1] - 1)
            source = picture[:, ::-1] if mirror else picture
            expected = np.clip(source[rows][:, columns].astype(int) + light, 0, 255)
            assert np.array_equal(np.frombuffer(out, np.uint8).reshape(shape), expected)


def test_shrinking() -> None:
    from views import shrink

    picture = np.arange(120 * 160).reshape(120, 160) % 251
    out = bytearray(28 * 28 * 3)
    shrink(bytes(picture.astype(np.uint8).ravel()), out, (120, 160, 1), (28, 28, 3))
    got = np.frombuffer(out, np.uint8).reshape(28, 28, 3)
    index = np.arange(28) * 120 // 28
    expected = picture[index][:, 20 + index]
    assert all(np.array_equal(got[..., k], expected) for k in range(3))
    colours = np.random.default_rng(0).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    same = bytearray(colours.size)
    shrink(colours.tobytes(), same, (8, 8, 3), (8, 8, 3))
    assert same == colours.tobytes()


def test_a_session_is_reproducible_and_counts() -> None:
    pytest.importorskip("skimage")
    from session import STAGES, plan

    one, two = (plan((28, 28, 1), 2, 5, 3, seed=4) for _ in range(2))
    assert one.commands == two.commands
    assert zlib.crc32(np.stack(one.pictures)) == zlib.crc32(np.stack(two.pictures))
    taken = sum(c == "look" or c.startswith("this is") for c in one.commands)
    assert taken == len(one.pictures) and one.commands.count("look") == len(one.looks)
    right = one.accuracy([f"{name} 60%" for _, name in one.looks])
    assert right[STAGES[0]] == {"person": 100, "background": 100}
    assert set(right) == set(STAGES) and len(right[STAGES[2]]) == 4
    assert one.accuracy(["bag 60%"])[STAGES[0]] == {"person": 0}


@pytest.mark.slow
def test_the_demo_gives_the_bits_of_the_simulator(tmp_path: Path) -> None:
    """A short session on the emulated Pico."""
    pytest.importorskip("skimage")
    import on_pico

    built = on_pico.make(on_pico.HEAD, tmp_path / "build")
    session = on_pico.plan((28, 28, 1), 3, 40, 3)
    board = on_pico.play_on_board(built, session, tmp_path)
    host = on_pico.play_on_host(built, session, tmp_path)
    assert board.checksums == host.checksums != ""
    assert on_pico.names(board) == on_pico.names(host)
    found = session.accuracy(board.looks(session))
    assert np.mean(list(found[on_pico.STAGES[0]].values())) > 60
    assert all(0 < s < 60 for s in board.seconds(session).values())


@pytest.mark.slow
def test_mcunet_fits_a_pico_with_romfs(tmp_path: Path) -> None:
    path_of("mcunet_5fps_128_c2")
    import on_pico

    built = on_pico.make(on_pico.LARGE, tmp_path / "build")
    assert built.report.fits and int(str(built.report.values["latent_bytes"])) == 160
