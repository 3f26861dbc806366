"""Where deploy puts the weights, on emulated boards and through mpremote; what is there stays."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from pathlib import Path

import drive
import pytest
import tiny_model
from mpremote.romfs import VfsRomWriter
from test_deploy import build_selftest

from support.commands import mpremote
from tinytrain.backend.connection import connect
from tinytrain.backend.deploy import deploy
from tinytrain.backend.placement import choose, room_of, write_flash
from tinytrain.backend.romfs import ALIGNMENT, image_bytes, make_image, read_image
from tinytrain.errors import BoardError

Tiny = Callable[[str], Path]


@pytest.fixture
def build_dir(board: str, tiny: Tiny, tmp_path: Path) -> Path:
    return build_selftest(tiny(drive.targets()[board].arch), tmp_path)


@pytest.mark.parametrize("board", ["pico", "m0", "rv32"], indirect=True)
def test_romfs_keeps_other_files_and_is_read_in_place(
    build_dir: Path, port: str, tmp_path: Path
) -> None:
    rom = tmp_path / "rom"
    (rom / "lib").mkdir(parents=True)
    (rom / "data.bin").write_bytes(bytes(range(256)) * 5)
    (rom / "lib" / "mine.py").write_text("print('mine')")
    mpremote(port, "romfs", "deploy", rom)
    said: list[str] = []
    result = deploy(build_dir, port, say=said.append)
    assert result.placement.place == "romfs"
    assert "weights: romfs, read in place, no copy in RAM" in said
    assert "weights 120 bytes in place" in result.outcome.trainer
    assert any("ROMFS image deployed" in line for line in said)
    listed = mpremote(port, "fs", "ls", ":/rom", ":/rom/lib")
    assert all(name in listed for name in ("model.ttw", "data.bin", "mine.py"))
    code = "print(sum(open('/rom/data.bin', 'rb').read())); import mine"
    assert mpremote(port, "exec", code).split() == [str(sum(range(256)) * 5), "mine"]
    assert "model.ttw" not in mpremote(port, "fs", "ls", ":")
    said.clear()
    deploy(build_dir, port, say=said.append)
    assert not any("ROMFS image deployed" in line for line in said)  # it is there already


@pytest.mark.parametrize("board", ["pico"], indirect=True)
def test_other_places(build_dir: Path, port: str) -> None:
    result = deploy(build_dir, port, weights_in="file", with_main=True)
    assert result.placement.place == "file" and "in RAM" in result.outcome.trainer
    said: list[str] = []
    with pytest.raises(BoardError, match="--weights flash: the file system ends 0 bytes before"):
        deploy(build_dir, port, weights_in="flash")
    deploy(build_dir, port, say=said.append)
    assert "removed the file model.ttw of an earlier build" in said
    huge = tiny_model.weights_file() + bytes(700_000)
    with connect(port) as there:
        room = room_of(there)
        placement = choose(room, huge, "auto", make_image({"model.ttw": huge}))
        assert placement.place == "file"
        assert "the ROMFS has 655,360 bytes, 700,1" in placement.why
        with pytest.raises(BoardError, match="--weights romfs: the ROMFS has 655,360 bytes"):
            choose(room, huge, "romfs", make_image({"model.ttw": huge}))
        # a firmware that gives less than all of its flash to the file system
        there.run(
            "import rp2, vfs\nvfs.umount('/')\nb = rp2.Flash(start=0, len=512 * 1024)\n"
            "vfs.VfsLfs2.mkfs(b, progsize=256)\nvfs.mount(vfs.VfsLfs2(b, progsize=256), '/')",
            "making a smaller file system",
        )
        there.write_file("tinytrain.mpy", (build_dir / "tinytrain.mpy").read_bytes())
        room = room_of(there)
        assert room.flash_start == 512 << 10 and room.flash_end == 1024 << 10
        weights = (build_dir / "model.ttw").read_bytes()
        placement = choose(room, weights, "flash", None)
        write_flash(there, room, weights)
        made = f"import tinytrain\nprint(tinytrain.Trainer({placement.expression}))"
        assert "120 bytes in place" in there.run(made, "making a Trainer")
        assert "'tinytrain.mpy'" in there.run("import os\nprint(os.listdir())", "listing")


def test_images_are_read_back_and_aligned() -> None:
    rng = random.Random(0)
    for _ in range(200):
        files = {
            "d/" * rng.randrange(3) + f"{i}{'x' * rng.randrange(9)}": rng.randbytes(
                rng.choice((0, 1, 5, 130, 20_000))
            )
            for i in range(rng.randrange(6))
        }
        image = make_image(files)
        assert read_image(image) == files and image_bytes(image[:12]) == len(image)
        for data in files.values():
            assert len(data) < 130 or image.index(data) % ALIGNMENT == 0


def test_images_of_mpremote_are_read() -> None:
    writer = VfsRomWriter()
    data_at = writer.mkdata(b"pointed at")
    writer.opendir("q")
    writer.mkfile("a", b"123")
    writer.closedir()
    writer.mkfile("b", b"x" * 300)
    image = writer.finalise()
    assert read_image(image) == {"q/a": b"123", "b": b"x" * 300}
    assert data_at > 0


def test_damaged_images_are_refused() -> None:
    image = make_image({"a/b": bytes(100), "c": b"12345"})
    rng = random.Random(1)
    for _ in range(3000):
        wrong = bytearray(image[: rng.randrange(len(image))] if rng.random() < 0.3 else image)
        for _ in range(rng.randrange(4)):
            if wrong:
                wrong[rng.randrange(min(40, len(wrong)))] = rng.randrange(256)
        with contextlib.suppress(BoardError):
            read_image(bytes(wrong))
