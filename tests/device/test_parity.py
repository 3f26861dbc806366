"""The same bits everywhere: 50 steps in the simulator and on every board of the test bed."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinytrain.build import Build, build, open_build
from tinytrain.compilation import Options
from tinytrain.sim.trainer import Trainer

MODEL = Path(__file__).parents[2] / "examples" / "digits" / "fashion.tflite"
BOARDS = {
    "unix": "unix",
    "m0": "qemu_m0",
    "m3": "qemu_m3",
    "m4f": "qemu_m4f",
    "m7sp": "qemu_m7sp",
    "m7dp": "qemu_m7dp",
    "rv32": "qemu_rv32",
    "pico": "rpi_pico",
    "esp32": "qemu_esp32",
    "esp32s2": "qemu_esp32s2",
}
STEPS = 50

SCRIPT = """
import binascii, struct, tinytrain
t = tinytrain.Trainer("model.ttw")
x = bytearray(784)
out = bytearray(10)
losses = []
for step in range({steps}):
    for i in range(784):
        x[i] = (i * (37 + step) + (i * i >> 3) * step) & 255
    t.lr = 0.05 if step % 3 else 0.002
    losses.append(struct.unpack("<I", struct.pack("<f", t.step(x, step % 10)))[0])
t.predict(x, out)
print(binascii.crc32(t.state), binascii.crc32(out), t.classify(x), losses[::7])
t.reset()
print(binascii.crc32(t.state))
"""


def slow(*cases: tuple[object, ...]) -> list[Any]:
    """Parameters of tests that take from 20 seconds to two minutes."""
    return [pytest.param(*case, marks=pytest.mark.slow) for case in cases]


def on_board(run_on, board: str, built) -> str:
    """What the board says after the steps."""
    result = run_on(
        board,
        SCRIPT.format(steps=STEPS),
        put=[built.folder / "tinytrain.mpy", built.folder / "model.ttw"],
        timeout=600,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def in_simulator(built: Build) -> str:
    """What the script prints, computed by the simulator."""
    trainer = Trainer(built.compiled)
    losses = []
    i = np.arange(784)
    x = np.zeros(784, np.int8)
    for step in range(STEPS):
        x = (i * (37 + step) + (i * i >> 3) * step & 255).astype(np.uint8).view(np.int8)
        trainer.lr = 0.05 if step % 3 else 0.002
        losses.append(int(np.float32(trainer.step(x, step % 10)).view(np.uint32)))
    output = trainer.predict(x)
    text = f"{zlib.crc32(trainer.state)} {zlib.crc32(output)} {trainer.classify(x)} {losses[::7]}\n"
    trainer.reset()
    return text + f"{zlib.crc32(trainer.state)}\n"


@pytest.mark.parametrize(
    ("board", "update", "gradients"),
    [
        *((name, "all", "int16") for name in BOARDS if name != "pico"),
        *((name, "all", "int8") for name in ("unix", "m0")),
        ("pico", "last:3", "int16"),
        *slow(("m4f", "all", "int8"), ("rv32", "all", "int8")),
        *slow(("pico", "last:3", "int8"), ("pico", "all", "int16")),
    ],
    indirect=["board"],
)
def test_fifty_steps_give_the_same_bits(board, update, gradients, run_on, tmp_path):
    built = build(MODEL, BOARDS[board], update, tmp_path / "build", Options(gradients=gradients))
    assert on_board(run_on, board, built) == in_simulator(built)


@pytest.mark.parametrize("board", ["m4f", *slow(("pico",), ("esp32",), ("rv32",))], indirect=True)
def test_builds_for_size_give_the_same_bits(board, run_on, tmp_path):
    fast, small = (
        build(MODEL, BOARDS[board], "last:3", tmp_path / o, Options(optimize=o))
        for o in ("speed", "size")
    )
    bytes_of = [b.report.values["module_bytes"] for b in (fast, small)]
    assert bytes_of[1] < 0.8 * bytes_of[0]
    assert small.report.values["cycles_step"] == 0  # nobody has measured these kernels
    assert on_board(run_on, board, small) == in_simulator(fast)


def test_a_build_folder_opens_as_the_same_model(tmp_path):
    built = build(MODEL, "unix", "bias:4", tmp_path / "build", Options(gradients="int8"))
    assert open_build(tmp_path / "build").source.hash == built.compiled.source.hash


@pytest.mark.slow
@pytest.mark.parametrize("board", ["unix", "m0", "m3", "m4f", "m7dp", "rv32"], indirect=True)
def test_zig_builds_the_same_computation(board, run_on, tmp_path):
    built = build(MODEL, BOARDS[board], "all", tmp_path / "build", toolchain="zig")
    files = [built.folder / "tinytrain.mpy", built.folder / "model.ttw"]
    result = run_on(board, SCRIPT.format(steps=STEPS), put=files, timeout=600)
    assert result.returncode == 0, result.stderr
    assert result.stdout == in_simulator(built)
