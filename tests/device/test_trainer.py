"""The whole Trainer on boards: slices, evaluate, quantize, steadiness, and its stub."""

from __future__ import annotations

import ast
import json
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import drive
import numpy as np
import pytest

from tinytrain.build import Build, build
from tinytrain.compilation import Options
from tinytrain.ir.optimizer import Optimizer
from tinytrain.sim.trainer import Trainer

MODEL = Path(__file__).parents[2] / "examples" / "digits" / "fashion.tflite"
BOARDS = {"unix": "unix", "m0": "qemu_m0", "rv32": "qemu_rv32", "pico": "rpi_pico"}

STACK = 2048  # bytes on an emulated Pico, those of MicroPython and of importing included

Builds = Callable[[str], Build]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Builds:
    """The build of the model for a board of the bed."""

    @cache
    def make(board: str) -> Build:
        return build(MODEL, BOARDS[board], "all", tmp_path_factory.mktemp(board) / "build")

    return make


def files(made: Build) -> list[Path]:
    return [made.folder / "tinytrain.mpy", made.folder / "model.ttw"]


def run(board: str, script: str, put: list[Path], timeout: int = 300) -> list[str]:
    result = drive.run(board, script, put=put, timeout=timeout)
    assert (result.stderr, result.returncode) == ("", 0)
    return result.stdout.splitlines()


SCRIPT = """
import binascii, json, struct, tinytrain
from array import array
t = tinytrain.Trainer("model.ttw")
x = bytearray(784)
def fill(k):
    for i in range(784):
        x[i] = (i * (37 + k) + (i * i >> 3) * k) & 255
    return x
def bits(value):
    return struct.unpack("<I", struct.pack("<f", value))[0]
for k in range(2):
    count, losses = 0, []
    for loss in t.slices(fill(k), k, budget_us=1):
        count += 1
        if loss is not None:
            losses.append(bits(loss))
    print(losses, count > 50, binascii.crc32(t.state))
print(round(t.evaluate((fill(k), k % 10) for k in range(30)) * 30))
out = bytearray(784)
print(binascii.crc32(t.quantize(fill(3), out)))
words = [(i * 0x9E3779B9 ^ i << 20) & 0xFFFFFFFF for i in range(784)]
words = [w if w & 0x7F800000 != 0x7F800000 else 0x7F800000 for w in words]
words[:300] = [bits(i / 512 - 0.0625) for i in range(300)]
reals = array("f", struct.pack("<784I", *words))
print(binascii.crc32(t.quantize(reals, out)), list(out[:20]))
info = t.info()
print(json.dumps([info[k] for k in sorted(info)]))
"""


@pytest.mark.parametrize(
    "board",
    ["unix", "m0", *(pytest.param(name, marks=pytest.mark.slow) for name in ("rv32", "pico"))],
    indirect=True,
)
def test_slices_evaluate_quantize_as_in_the_simulator(board: str, built: Builds) -> None:
    made = built(board)
    host = Trainer(made.compiled)
    i = np.arange(784)

    def fill(k: int) -> np.ndarray:
        return (i * (37 + k) + (i * i >> 3) * k & 255).astype(np.uint8).view(np.int8)

    expected = []
    for k in range(2):
        loss = np.float32(host.step(fill(k), k)).view(np.uint32)
        expected.append(f"[{loss}] True {zlib.crc32(host.state)}")
    expected.append(str(round(host.evaluate((fill(k), k % 10) for k in range(30)) * 30)))
    expected.append(str(zlib.crc32(host.quantize(fill(3).view(np.uint8)))))
    words = np.array([(n * 0x9E3779B9 ^ n << 20) & 0xFFFFFFFF for n in range(784)], np.uint32)
    words[words & 0x7F800000 == 0x7F800000] = 0x7F800000
    words[:300] = (np.arange(300) / 512 - 0.0625).astype(np.float32).view(np.uint32)
    out = host.quantize(words.view(np.float32))
    expected.append(f"{zlib.crc32(out)} {out[:20].view(np.uint8).tolist()}")
    info = host.info()
    expected.append(json.dumps([info[k] for k in sorted(info)]))
    assert run(board, SCRIPT, files(made)) == expected


LONGEST = """
import gc, time, tinytrain
t = tinytrain.Trainer("model.ttw")
x = bytearray((i * 37) & 255 for i in range(784))
def longest(budget):
    most = 0
    gc.collect()
    slices = t.slices(x, 1, budget_us=budget)
    for _ in range(1000):
        start = time.ticks_us()
        try:
            next(slices)
        except StopIteration:
            break
        took = time.ticks_diff(time.ticks_us(), start)
        most = max(most, took)
    return most
print([longest(budget) for budget in (500, 1000, 2000, 5000)])
"""


@pytest.mark.parametrize("board", ["pico"], indirect=True)
def test_slices_keep_to_their_budget(board: str, built: Builds) -> None:
    (line,) = run(board, LONGEST, files(built(board)))
    for budget, most in zip((500, 1000, 2000, 5000), json.loads(line), strict=True):
        assert most <= budget * 1.1 + 400, line  # 400 us: the largest piece of this model


AWAIT = """
import asyncio, tinytrain
t, u = tinytrain.Trainer("model.ttw"), tinytrain.Trainer("model.ttw")
x = bytearray((i * 37) & 255 for i in range(784))
turns = 0
async def other():
    global turns
    while True:
        turns += 1
        await asyncio.sleep_ms(0)
async def main():
    task = asyncio.create_task(other())
    loss = await t.astep(x, 1, budget_us=1000)
    print(loss == u.step(x, 1), t.state == u.state, turns > 5)
    try:
        await asyncio.wait_for_ms(wrapped(), 5)
    except asyncio.TimeoutError:
        print("cancelled")
    print(t.step(x, 2) > 0)
async def wrapped():
    await t.astep(x, 1)
asyncio.run(main())
def interrupted():
    for _ in t.slices(x, 1):
        raise KeyboardInterrupt
t.reset()
u.reset()
try:
    interrupted()
except KeyboardInterrupt:
    print(t.step(x, 3) == u.step(x, 3), t.state == u.state)
"""


@pytest.mark.parametrize("board", ["pico"], indirect=True)
def test_await_cancel_and_interrupt(board: str, built: Builds) -> None:
    lines = run(board, AWAIT, files(built(board)))
    assert lines == ["True True True", "cancelled", "True", "True True"]


STEADY = """
import gc, tinytrain
from array import array
t = tinytrain.Trainer("model.ttw")
X = bytes(range(16))
def steps(n):
    for i in range(n):
        t.step(X, i & 3)
def sliced(n):
    for i in range(n):
        for _ in t.slices(X, i & 3):
            pass
def judged(n):
    pair = ((X, 1),)
    for i in range(n):
        t.evaluate(pair)
def after(f):
    f(100)
    gc.collect()
    return gc.mem_free()
free = array("i", [0] * 13)
def measure():
    for i in range(11):
        free[i] = after(steps)
    free[11] = after(sliced)
    free[12] = after(judged)
measure()
measure()
print([n - free[0] for n in free])
"""


@pytest.mark.parametrize("board", ["m0", "pico"], indirect=True)
def test_a_thousand_steps_leave_the_heap_as_it_was(board: str, tiny: Callable[[str], Path]) -> None:
    folder = tiny(drive.targets()[board].arch)
    put = [folder / "tinytrain.mpy", folder / "model.ttw"]
    result = drive.run(board, STEADY, put=put, count=board == "pico")
    assert (result.stderr, result.returncode) == ("", 0)
    assert result.stdout == f"{[0] * 13}\n"
    assert result.counts.get("stack", 0) <= STACK


NAMES = """
import tinytrain
t = tinytrain.Trainer("model.ttw")
names = set(dir(tinytrain.Trainer)) | {"lr", "state", "momentum", "weight_decay"}
print([name for name in names if has(t, name)])
"""
HAS = """
def has(t, name):
    try:
        getattr(t, name)
        return True
    except AttributeError:
        return False
"""


@pytest.mark.parametrize("board", ["unix"], indirect=True)
@pytest.mark.parametrize(
    ("update", "options"),
    [
        ("last:1", Options()),
        ("last:1", Options(loss="sigmoid")),
        ("last:1", Options(optimizer=Optimizer(momentum=True, batch=True))),
        ("none", Options()),
    ],
)
def test_the_stub_names_what_the_module_has(
    board: str, update: str, options: Options, tmp_path: Path
) -> None:
    made = build(MODEL, BOARDS[board], update, tmp_path / "build", options)
    (line,) = run(board, HAS + NAMES, files(made))
    names = {n for n in ast.literal_eval(line) if n not in ("__class__", "__name__", "__del__")}
    tree = ast.parse((made.folder / "tinytrain.pyi").read_text())
    (stub,) = (n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == "Trainer")
    declared = set()
    for node in stub.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            declared.add(node.target.id)
        elif isinstance(node, ast.FunctionDef):
            declared.add(node.name)
    assert declared - {"__init__"} == names
