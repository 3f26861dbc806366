"""A stock mpremote and emulated boards: copy, mount, ROMFS, mip, with the real module."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Callable
from pathlib import Path

import dist
import drive
import pytest
import tiny_model

from support.commands import mpremote

Tiny = Callable[[str], Path]

STEPS = """
import tinytrain
t = tinytrain.Trainer({weights})
x = bytes(i * 5 & 127 for i in range(t.input_shape[-1]))
print(t.classify(x))
print("in place" in str(t), t.step(x, 1) > 0)
"""


@pytest.fixture
def files(board: str, tiny: Tiny) -> Path:
    return tiny(drive.targets()[board].arch)


def expected_class(tmp_path: Path) -> int:
    """What the script's first line must be: the class by the same C on this machine."""
    host = tiny_model.HostModel.compile(tmp_path)
    x = bytes(i * 5 & 127 for i in range(tiny_model.INPUTS))
    output = [byte - 256 if byte > 127 else byte for byte in host.predict(x)]
    return output.index(max(output))


BOARDS = pytest.mark.parametrize("board", ["pico", "m7dp", "esp32"], indirect=True)


@BOARDS
def test_copied_files_run(port: str, files: Path, tmp_path: Path) -> None:
    script = tmp_path / "steps.py"
    script.write_text(STEPS.format(weights="'model.ttw'"))
    mpremote(port, "cp", files / "tinytrain.mpy", files / "model.ttw", ":")
    shown = mpremote(port, "run", script).splitlines()
    assert shown == [str(expected_class(tmp_path)), "False True"]
    back = tmp_path / "back.ttw"
    mpremote(port, "cp", ":model.ttw", back)
    assert back.read_bytes() == (files / "model.ttw").read_bytes()


@pytest.mark.parametrize("board", ["pico", "m7dp"], indirect=True)
def test_mounted_folder_runs(port: str, files: Path, tmp_path: Path) -> None:
    """Module, weights and a checkpoint of the state all go through the mounted folder."""
    for name in ("tinytrain.mpy", "model.ttw"):
        (tmp_path / name).write_bytes((files / name).read_bytes())
    save = "with open('state.bin', 'wb') as f:\n    f.write(t.state)\n"
    (tmp_path / "go.py").write_text(STEPS.format(weights="'model.ttw'") + save)
    shown = mpremote(port, "mount", tmp_path, "exec", "import go")
    assert shown.splitlines()[-2:] == [str(expected_class(tmp_path)), "False True"]
    assert (tmp_path / "state.bin").stat().st_size == tiny_model.STATE_BYTES


@BOARDS
def test_romfs_is_deployed_and_read_in_place(port: str, files: Path, tmp_path: Path) -> None:
    rom = tmp_path / "rom"
    rom.mkdir()
    for name in ("tinytrain.mpy", "model.ttw"):
        (rom / name).write_bytes((files / name).read_bytes())
    mpremote(port, "romfs", "--partition", "0", "deploy", rom)
    script = tmp_path / "steps.py"
    # a ROMFS need not align its files to 4 bytes; what is not aligned is refused, and copied here
    script.write_text(
        "import tinytrain\n"
        "try:\n    t = tinytrain.Trainer('/rom/model.ttw')\n"
        "except ValueError as e:\n"
        "    assert 'aligned' in str(e), e\n"
        "    t = tinytrain.Trainer(bytes(memoryview(open('/rom/model.ttw', 'rb'))))\n"
        "x = bytes(i * 5 & 127 for i in range(t.input_shape[-1]))\n"
        "print(t.classify(x), 'in place' in str(t))\n"
    )
    assert mpremote(port, "run", script).split()[:2] == [str(expected_class(tmp_path)), "True"]


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        del args


@pytest.mark.slow
@pytest.mark.parametrize("board", ["pico", "esp32s2"], indirect=True)
def test_prebuilt_modules_are_installed_by_mip(board: str, port: str, tmp_path: Path) -> None:
    name = {"pico": "armv6m", "esp32s2": "xtensawin-esp32s2"}[board]
    (package,) = dist.make(tmp_path / "dist", [name])
    handler = functools.partial(Quiet, directory=str(tmp_path / "dist"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/{name}/package.json"
        mpremote(port, "mip", "install", "--target", "lib", url)
        server.shutdown()
    mpremote(port, "mip", "install", "--target", "other", package)  # a path does as well
    script = (
        "import sys\nsys.path.append('lib')\nimport tinytrain\n"
        "t = tinytrain.Trainer('other/model.ttw')\n"
        "print(t.step(bytes(784), 3) > 0, tinytrain.Trainer('lib/model.ttw').name)\n"
    )
    assert mpremote(port, "exec", script) == "True fashion\n"
