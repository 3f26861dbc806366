"""`tinytrain plan` as a user meets it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from support.searching import BUDGET, examples, write_files
from tinytrain.cli import main
from tinytrain.compilation import compile_model

QUICK = ("--epochs", "1", "--splits", "1", "--lr", "0.1", "--jobs", "1")


def command(folder: Path, *more: str) -> list[str]:
    model, data = write_files(folder)
    words = ["plan", str(model), "--data", str(data), "--board", "rpi_pico"]
    return [*words, "-o", str(folder / "update.toml"), *more]


def refused(capsys: pytest.CaptureFixture[str], words: list[str]) -> str:
    """The message; nothing may be left behind."""
    folder = Path(words[words.index("-o") + 1]).parent
    assert main(words) == 2
    assert not list(folder.glob("*update*"))
    return capsys.readouterr().err


def test_what_it_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command(tmp_path, "--ram", str(BUDGET), "--time", "2s", *QUICK)) == 0
    text = (tmp_path / "update.toml").read_text()
    assert text in capsys.readouterr().out
    made = compile_model(tmp_path / "tiny.tflite", str(tmp_path / "update.toml"))
    arena, state = made.arena.nbytes, made.program.state_bytes
    assert (
        f"arena {arena:,} + state {state:,} = {arena + state:,} bytes of {BUDGET:,} allowed" in text
    )
    assert "s on the board" in text and "alone" in text
    result = json.loads((tmp_path / "update.json").read_text())
    best = result["schemes"][0]
    assert best["ram"] == arena + state <= BUDGET
    assert best["expected"] == max(s["expected"] for s in result["schemes"])
    assert {c["layer"] for c in result["contributions"]} == {"conv2d_1", "dense_1"}
    assert (tmp_path / "update.svg").read_text().startswith("<?xml")
    first = text
    assert main(command(tmp_path, "--ram", str(BUDGET), *QUICK, "--jobs", "2")) == 0
    assert "finished simulations found" in capsys.readouterr().out
    assert (tmp_path / "update.toml").read_text() == first


def test_without_matplotlib(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(command(tmp_path, "--ram", str(BUDGET), "--cheap", *QUICK)) == 0
    assert "tinytrain[demo]" in capsys.readouterr().out
    assert (tmp_path / "update.json").exists() and not (tmp_path / "update.svg").exists()


def test_budgets_that_hold_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    error = refused(capsys, command(tmp_path, "--ram", "100", *QUICK))
    assert "the smallest one" in error and "bias" in error and "--ram" in error
    times = ("--time", "1ms", *QUICK[:2], "--time", "0.000001s")
    error = refused(capsys, command(tmp_path, "--ram", str(BUDGET), *times))
    assert "cycles" in error and "--time" in error
    error = refused(capsys, command(tmp_path, "--ram", "9M"))
    assert "free heap" in error


def test_bad_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = command(tmp_path, "--ram", str(BUDGET), *QUICK)
    x, y = examples()
    for arrays, expected in (
        ({"images": x}, "x_train"),
        ({"x_train": x}, "y_train"),
        ({"x_train": x[..., :3], "y_train": y}, "shape"),
        ({"x_train": x, "y_train": y + 5}, "labels"),
        ({"x_train": x[:1], "y_train": y[:1]}, "examples"),
    ):
        np.savez(tmp_path / "data.npz", **arrays)
        assert expected in refused(capsys, words)
    (tmp_path / "data.npz").write_bytes(b"nothing")
    assert "cannot be read" in refused(capsys, words)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (("--board", "nowhere"), "nowhere"),
        (("--board", "qemu_m4f", "--time", "2s"), "clock"),
        (("--executor", "abacus"), "abacus"),
        (("--freeze", "absent"), "absent"),
        (("-o", "update.txt"), ".toml"),
    ],
)
def test_bad_options(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...], expected: str
) -> None:
    words = command(tmp_path, "--ram", str(BUDGET), *QUICK)
    for option, value in zip(more[::2], more[1::2], strict=True):
        if option in words:
            words[words.index(option) + 1] = value
        else:
            words += [option, value]
    assert expected in refused(capsys, words)


def begun(folder: Path, *more: str) -> subprocess.Popen[bytes]:
    """The command as a process that has finished some simulations."""
    words = [sys.executable, "-m", "tinytrain.cli", *command(folder, *more)]
    process = subprocess.Popen(
        words,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        # tests that run in the background were told to ignore Ctrl-C, and their children with them
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    cache = folder / "update.toml.cache"
    for _ in range(600):
        if cache.exists() and cache.read_bytes().count(b"\n") > 2:
            return process
        time.sleep(0.1)
    process.kill()
    raise AssertionError("nothing was simulated")


@pytest.mark.slow
def test_no_process_outlives_the_command(tmp_path: Path) -> None:
    process = begun(tmp_path, "--ram", str(BUDGET), "--epochs", "300", "--jobs", "2")
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert len(children) >= 2
    process.kill()
    process.communicate(timeout=60)
    left = children
    for _ in range(300):
        left = [c for c in left if _runs(c)]
        if not left:
            return
        time.sleep(0.1)
    raise AssertionError(f"still there: {left}")


def _runs(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.slow
def test_ctrl_c_and_again(tmp_path: Path) -> None:
    """The interrupted command leaves no scheme; repeated, it gives what an undisturbed one does."""
    for name in ("broken", "whole"):
        (tmp_path / name).mkdir()
    more = ("--ram", str(BUDGET), "--epochs", "20", "--jobs", "2")
    broken = begun(tmp_path / "broken", *more)
    broken.send_signal(signal.SIGINT)
    _, error = broken.communicate(timeout=60)
    assert broken.returncode == 130 and b"Traceback" not in error, error
    assert not (tmp_path / "broken" / "update.toml").exists()
    for name in ("broken", "whole"):
        assert main(command(tmp_path / name, *more)) == 0
    texts = [(tmp_path / name / "update.toml").read_text() for name in ("broken", "whole")]
    assert texts[0] == texts[1]
