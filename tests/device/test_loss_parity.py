"""Losses with targets and fresh heads: the same bits and the same refusals on boards."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import drive
import numpy as np
import pytest

from tinytrain.build import Build, build, open_build
from tinytrain.compilation import Options
from tinytrain.exporters.tflite import TfliteWriter
from tinytrain.sim.trainer import Trainer

FASHION = Path(__file__).parents[2] / "examples" / "digits" / "fashion.tflite"
BOARDS = {"unix": "unix", "m0": "qemu_m0"}
STEPS = 12

SCRIPT = """
import binascii, tinytrain
t = tinytrain.Trainer("model.ttw")
x = bytearray({inputs})
out = bytearray({outputs})
t.lr = 0.0625
losses = []
for step in range({steps}):
    for i in range({inputs}):
        x[i] = (i * (37 + step) + (i * i >> 3) * step) & 255
    losses.append(t.step(x{y}))
t.predict(x, out)
print(binascii.crc32(t.state), binascii.crc32(out), t.classes, t.classify(x))
print(["%.5g" % loss for loss in losses])
def pairs():
    for step in range(4):
        yield (lambda x, y=None: (x, y))(x{y})
print("%.5g" % t.evaluate(pairs()), binascii.crc32(t.state))
for loss in t.slices(x{y}, budget_us=1):
    pass  # a list of all would not fit
print("%.5g" % loss, binascii.crc32(t.state))
def refused(y):
    before = binascii.crc32(t.state)
    try:
        t.step(x, *y)
    except Exception as error:
        assert binascii.crc32(t.state) == before
        print(type(error).__name__, error)
for y in {wrong}:
    refused(y)
"""


def autoencoder(path: Path, outputs: int) -> Path:
    """Fully connected layers 24 -> 10 -> outputs."""
    rng, writer = np.random.default_rng(3), TfliteWriter()
    source = x = writer.tensor("x", (1, 24), "int8", scale=0.03125, zero_point=-9)
    for i, (a, b) in enumerate(((24, 10), (10, outputs))):
        data = rng.integers(-127, 128, (b, a)).astype(np.int8)
        w = writer.tensor(f"w{i}", data.shape, "int8", data=data, scale=0.003, zero_point=0)
        bias = np.zeros(b, np.int32)
        c = writer.tensor(f"b{i}", (b,), "int32", data=bias, scale=0.003 * 0.03125, zero_point=0)
        y = writer.tensor(f"y{i}", (1, b), "int8", scale=0.03125, zero_point=4)
        writer.op("FULLY_CONNECTED", [x, w, c], [y])
        x = y
    path.write_bytes(writer.bytes([source], [x]))
    return path


def in_simulator(built: Build, target: Callable[[int], Any]) -> str:
    """What the script prints before it tries what is refused."""
    trainer = Trainer(built.compiled)
    trainer.lr = 0.0625
    i, losses = np.arange(np.prod(trainer.input_shape)), []
    x = np.zeros(i.size, np.int8)
    for step in range(STEPS):
        x = (i * (37 + step) + (i * i >> 3) * step & 255).astype(np.uint8).view(np.int8)
        losses.append(trainer.step(x, target(step)))
    out = trainer.predict(x)
    first = f"{zlib.crc32(trainer.state)} {zlib.crc32(out)} {trainer.classes} {trainer.classify(x)}"
    score = f"{trainer.evaluate((x, target(step)) for step in range(4)):.5g}"
    before = zlib.crc32(trainer.state)
    loss = f"{trainer.step(x, target(STEPS - 1)):.5g} {zlib.crc32(trainer.state)}"
    return f"{first}\n{[f'{loss:.5g}' for loss in losses]}\n{score} {before}\n{loss}\n"


NEEDS = "y: %d bytes expected, got %d"
CASES = {
    "sigmoid": (
        Options("sigmoid"),
        ", bytes((step >> i % 3) & 1 for i in range(10))",
        lambda step: [(step >> i % 3) & 1 for i in range(10)],
        "[(3,), (b'12',), (bytes(9) + b'\\x02',), ([0] * 10,), (None,)]",
        [
            "TypeError y: int8 buffer expected",
            f"ValueError {NEEDS % (10, 2)}",
            "ValueError y[9]: 0 or 1 expected, got 2",
            "TypeError y: int8 buffer expected",
            "TypeError y: int8 buffer expected",
        ],
    ),
    "classes": (
        Options(classes=3),
        ", step % 3",
        lambda step: step % 3,
        "[(3,), (b'1',)]",
        ["ValueError y: 0 to 2 expected, got 3", "TypeError y: int expected"],
    ),
    "towards the input": (
        Options("mse"),
        "",
        lambda step: None,
        "[(3,), (b'12',)]",
        ["TypeError y: int8 buffer expected", f"ValueError {NEEDS % (24, 2)}"],
    ),
    "towards a target": (
        Options("mse"),
        ", bytes((i * 5 + step) & 127 for i in range(6))",
        lambda step: (np.arange(6) * 5 + step & 127).astype(np.int8),
        "[(), (None,), (bytes(24),)]",
        [*["TypeError y: int8 buffer expected"] * 2, f"ValueError {NEEDS % (6, 24)}"],
    ),
}


@pytest.mark.parametrize("board", list(BOARDS), indirect=True)
@pytest.mark.parametrize("name", CASES)
def test_targets_give_the_same_bits(name, board, run_on, tmp_path):
    options, text, target, wrong, messages = CASES[name]
    model, update = FASHION, "all"
    if options.loss == "mse":
        model = autoencoder(tmp_path / "auto.tflite", 24 if name == "towards the input" else 6)
    built = build(model, BOARDS[board], update, tmp_path / "build", options)
    graph = built.compiled.graph
    script = SCRIPT.format(
        inputs=graph.tensors[graph.input.tensor].size,
        outputs=graph.tensors[graph.output.tensor].size,
        steps=STEPS,
        y=text,
        wrong=wrong,
    )
    files = [built.folder / "tinytrain.mpy", built.folder / "model.ttw"]
    result = run_on(board, script, put=files, timeout=600)
    assert result.returncode == 0, result.stderr
    assert result.stdout == in_simulator(built, target) + "".join(f"{m}\n" for m in messages)
    example = (built.folder / "main.py").read_text()
    done = run_on(board, example, put=files, timeout=600)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("mean loss") == 3
    assert open_build(built.folder).source.hash == built.compiled.source.hash


@pytest.mark.parametrize("board", ["m4f"], indirect=True)
@pytest.mark.parametrize("loss", ["sigmoid", "mse"])
def test_deploy_verifies_targets(loss, board, tmp_path):
    from tinytrain.backend.deploy import deploy

    model = autoencoder(tmp_path / "auto.tflite", 24)
    folder = build(model, f"qemu_{board}", "all", tmp_path / "build", Options(loss)).folder
    with drive.serve(board) as port:
        assert deploy(folder, port).outcome.steps == 3
