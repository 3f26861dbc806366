"""Models whose input are indices: the same bits on the boards, and what is refused there."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest

from support import tflm
from support.commands import mpremote, tinytrain
from support.nets import Model, Net
from tinytrain.build import Build, build
from tinytrain.compilation import Options
from tinytrain.importers import load
from tinytrain.ir.optimizer import PLAIN, Optimizer
from tinytrain.sim.trainer import Trainer

from .test_parity import BOARDS, STEPS, slow

ROWS, COUNT, CLASSES = 40, 12, 10
ALL = Optimizer(momentum=True, weight_decay=True, batch=True, master=12)


def model() -> Model:
    """The last characters, one table, a convolution over them, a dense layer."""
    net = Net(11)
    x = net.index_input(1, COUNT)
    y = net.reshape(net.embedding(x, ROWS, 8), 1, 1, COUNT, 8)
    y = net.conv(y, 16, (1, 3), activation="RELU")
    return net.model(x, net.dense(net.flatten(y), CLASSES, gain=1.5 / y.rms, scale=0.05))


def made(folder: Path, board: str, optimizer: Optimizer = PLAIN, gradients: str = "int16") -> Build:
    path = folder / "characters.tflite"
    path.write_bytes(model().data)
    options = Options(optimizer=optimizer, gradients=gradients)
    return build(path, BOARDS[board], "all", folder / "build", options)


SCRIPT = """
import binascii, struct, tinytrain
from array import array
t = tinytrain.Trainer("model.ttw")
words, raw = array("i", [0] * 12), bytearray(49)
batch = hasattr(t, "accumulate")
if batch:
    t.momentum, t.weight_decay = 0.75, 0.125
def bits(value):
    return struct.unpack("<I", struct.pack("<f", value))[0]
losses = []
for step in range({steps}):
    for i in range(12):
        words[i] = (i * i + step * (i + 3) >> (step & 3)) % 40
    raw[1:] = bytes(words)
    x = words if step & 1 else memoryview(raw)[1:]
    t.lr = 0.0625 if step % 3 else 0.00390625
    if batch and step % 5 < 3:
        loss = t.accumulate(x, step % 10)
        if step % 5 == 2:
            t.apply()
    elif step % 7 == 6:
        for loss in t.slices(x, step % 10, 1):
            pass
    else:
        loss = t.step(x, step % 10)
    losses.append(bits(loss))
print(binascii.crc32(t.state), binascii.crc32(t.predict(words)), t.classify(words), losses[::7])
print(t.evaluate([(words, t.classify(words)), (bytes(words), 0)]) >= 0.5)
info = t.info()
print(info["indices"], "pixels" in info, t.input_shape, t.input_scale, "indices below 40" in str(t))
before, good = binascii.crc32(t.state), bytes(words)
def refused(f, *args):
    try:
        f(*args)
        print("accepted")
    except (ValueError, TypeError) as error:
        print(type(error).__name__, end=" ")
        if binascii.crc32(t.state) != before:
            print("changed")
wrong = array("i", words)
for value in (40, -1, 0x7fffffff, -0x80000000):
    wrong[7] = value
    for f in (t.predict, t.classify):
        refused(f, wrong)
    for f in (t.step, t.slices):
        refused(f, wrong, 1)
    refused(t.evaluate, [(words, 1), (bytes(wrong), 1)])
    if batch:
        refused(t.accumulate, wrong, 1)
print()
for x in (good[:44], good + good, array("i", words[:11]), array("h", range(24)), "x" * 48, 5,
          array("f", [0] * 12), list(words), None):
    refused(t.predict, x)
refused(t.quantize, bytearray(12), bytearray(12))
print(binascii.crc32(t.state) == before)
"""


def in_simulator(built: Build, steps: int) -> str:
    trainer, losses, batch = Trainer(built.compiled), [], bool(built.compiled.program.apply)
    if batch:
        trainer.momentum, trainer.weight_decay = 0.75, 0.125
    i = np.arange(COUNT)
    x = np.zeros(COUNT, np.int32)
    for step in range(steps):
        x = ((i * i + step * (i + 3) >> (step & 3)) % ROWS).astype(np.int32)
        trainer.lr = 0.0625 if step % 3 else 0.00390625
        adds = batch and step % 5 < 3
        loss = (trainer.accumulate if adds else trainer.step)(x, step % CLASSES)
        if adds and step % 5 == 2:
            trainer.apply()
        losses.append(int(np.float32(loss).view(np.uint32)))
    output, state = trainer.predict(x), trainer.state
    text = f"{zlib.crc32(state)} {zlib.crc32(output)} {trainer.classify(x)} {losses[::7]}\n"
    text += f"True\n{ROWS} False {trainer.input_shape} 1.0 True\n"
    text += "ValueError " * 4 * (6 if batch else 5) + "\n"
    return text + "ValueError " * 3 + "TypeError " * 6 + "ValueError True\n"


@pytest.mark.parametrize(
    ("board", "optimizer", "gradients"),
    [
        ("unix", PLAIN, "int16"),
        ("unix", ALL, "int8"),
        ("m0", PLAIN, "int8"),
        ("m0", ALL, "int16"),
        ("pico", PLAIN, "int16"),
        *slow(*((board, PLAIN, "int16") for board in ("m4f", "rv32", "esp32"))),
        *slow(("m4f", ALL, "int16"), ("rv32", ALL, "int8"), ("pico", ALL, "int16")),
    ],
    indirect=["board"],
)
def test_boards_equal_the_simulator(board, optimizer, gradients, run_on, tmp_path):
    built = made(tmp_path, board, optimizer, gradients)
    put = [built.folder / "tinytrain.mpy", built.folder / "model.ttw"]
    result = run_on(board, SCRIPT.format(steps=STEPS), put=put, timeout=600)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == in_simulator(built, STEPS)


@pytest.mark.parametrize("board", ["unix"], indirect=True)
def test_main_runs_as_it_is(board, run_on, tmp_path):
    built = made(tmp_path, board)
    put = [built.folder / "tinytrain.mpy", built.folder / "model.ttw"]
    result = run_on(board, (built.folder / "main.py").read_text(), put=put)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.count("mean loss") == 3


@pytest.mark.slow
@pytest.mark.parametrize("board", ["m4f"], indirect=True)
def test_from_the_build_to_the_trained_file(board, port, tmp_path):
    """deploy, verify, bench, and pull: tflite-micro then gives what the Trainer gave."""
    built = made(tmp_path, board)
    for words in (["deploy"], ["verify"], ["bench", "--layers"]):
        result = tinytrain(words[0], built.folder, "--port", port, *words[1:])
        assert result.returncode == 0, result.stderr
    assert "embedding_1  embedding_bwd_weight" in result.stdout
    train = "\n".join(
        [
            "import tinytrain",
            "from array import array",
            "t = tinytrain.Trainer('model.ttw')",
            "t.lr = 0.25",
            "x = array('i', [5, 1, 2, 5] * 3)",
            "for i in range(20): t.step(x, i % 2)",
            "t.save('model.tts')",
            "print(list(t.predict(x)))",
        ]
    )
    said = mpremote(port, "exec", train)
    assert tinytrain("pull", built.folder, "--port", port).returncode == 0
    x = np.array([[[5, 1, 2, 5] * 3]], np.int32)
    data = (built.folder / "trained.tflite").read_bytes()
    assert str(tflm.outputs(data, x).reshape(-1).tolist()) in said
    before, after = (
        g.tensors[g.nodes[0].inputs[1]].data
        for g in (model().graph(), load(built.folder / "trained.tflite"))
    )
    moved = (before != after).any(axis=1)
    assert np.flatnonzero(moved).tolist() == [1, 2, 5]
