"""verify, bench and repl: a real build on an emulated board, through the command line."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support.commands import tinytrain
from tinytrain.build import build, open_build

from .test_parity import BOARDS, MODEL

on_the_pico = pytest.mark.parametrize("board", ["pico"], indirect=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(MODEL, BOARDS["pico"], "last:2", tmp_path_factory.mktemp("verify")).folder


@on_the_pico
def test_verify_and_bench(folder: Path, port: str) -> None:
    before = tinytrain("verify", folder, "--port", port)
    assert before.returncode == 2 and "tinytrain deploy" in before.stderr
    assert tinytrain("deploy", folder, "--port", port).returncode == 0
    result = tinytrain("verify", folder, "--port", port)
    assert result.returncode == 0, result.stderr
    state = json.loads((folder / "selftest.json").read_text())["state_bytes"]
    assert f"10 losses and all {state:,} bytes of state are equal" in result.stdout
    assert f"a checkpoint of {state + 32:,} bytes was saved, loaded and removed" in result.stdout
    result = tinytrain("bench", folder, "--port", port, "--layers")
    assert result.returncode == 0, result.stderr
    times = {}
    for what in ("predict", "step"):
        line = next(line for line in result.stdout.splitlines() if line.startswith(f"{what}: "))
        found = re.fullmatch(rf"{what}: ([\d.]+) ms, ([\d,]+) cycles, best of (\d+)", line)
        assert found, line
        times[what] = float(found[1])
        assert int(found[2].replace(",", "")) == pytest.approx(times[what] * 125_000, rel=1e-3)
        assert int(found[3]) >= 2
    assert 1 < times["predict"] < times["step"] < 1000
    found = re.search(r"longest slice: ([\d.]+) ms, .* of (\d+) in a step", result.stdout)
    assert found and 0.5 < float(found[1]) < times["step"] and int(found[2]) > 1
    assert "clock: 125 MHz" in result.stdout
    calls = re.findall(r"(?m)^call +(\d+): (\w+) +(\w+) +([\d.]+) ms, ", result.stdout)
    step = open_build(folder).program.step
    assert [(int(n), layer, f"tt_{kernel}") for n, layer, kernel, _ in calls] == [
        (n, call.node, call.kernel) for n, call in enumerate(step, 1)
    ]
    assert sum(float(ms) for *_, ms in calls) == pytest.approx(times["step"], rel=0.05)


@on_the_pico
def test_verify_finds_what_differs(folder: Path, port: str, tmp_path: Path) -> None:
    assert tinytrain("deploy", folder, "--port", port, "--weights", "file").returncode == 0
    other = build(MODEL, BOARDS["pico"], "bias:2", tmp_path / "other").folder
    result = tinytrain("verify", other, "--port", port)
    assert result.returncode == 2 and "another tinytrain.mpy" in result.stderr
    right = json.loads((folder / "selftest.json").read_text())
    for key, value, message in (
        ("checkpoint_crc", "00000000", "the checkpoint differs"),
        ("losses", [*right["losses"][:9], "00000000"], "the loss of step 10 differs"),
    ):
        for name in ("tinytrain.mpy", "model.ttw"):
            (tmp_path / name).write_bytes((folder / name).read_bytes())
        (tmp_path / "selftest.json").write_text(json.dumps(right | {key: value}))
        result = tinytrain("verify", tmp_path, "--port", port)
        assert result.returncode == 2 and message in result.stderr, result.stderr


@pytest.mark.parametrize("board", ["m4f"], indirect=True)
def test_repl_has_the_module(board: str, port: str, tmp_path: Path) -> None:
    folder = build(MODEL, BOARDS[board], "last:1", tmp_path).folder
    assert tinytrain("deploy", folder, "--port", port, "--weights", "file").returncode == 0
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "tinytrain.cli", "repl", "--port", port]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        typed, seen, end = False, b"", time.monotonic() + 60
        while b"in RAM>" not in seen and time.monotonic() < end:
            seen += os.read(ours, 1000)
            if b">>> " in seen and not typed:
                os.write(ours, b"print(tinytrain.Trainer('model.ttw'))\r")
                typed = True
        os.write(ours, b"\x1d")
        process.wait(20)
    os.close(ours)
    assert b"<Trainer fashion:" in seen and process.returncode == 0
