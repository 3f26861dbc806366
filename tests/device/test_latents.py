"""Latents on boards: the same bits as in the simulator and as without them, in RAM or in a file."""

from __future__ import annotations

import zlib
from pathlib import Path

import drive
import numpy as np
import pytest

from tinytrain.build import Build, build
from tinytrain.compilation import Options
from tinytrain.ir.optimizer import Optimizer
from tinytrain.sim.trainer import Trainer

MODEL = Path(__file__).parents[2] / "examples" / "digits" / "fashion.tflite"
BOARDS = {"unix": "unix", "m0": "qemu_m0", "m4f": "qemu_m4f", "pico": "rpi_pico"}

SCRIPT = """
import binascii, gc, struct, tinytrain
try:
    import asyncio
except ImportError:
    asyncio = None
t = tinytrain.Trainer("model.ttw")
x = bytearray(784)
def fill(k):
    for i in range(784):
        x[i] = (i * (37 + k) + (i * i >> 3) * k) & 255
    return x
def bits(value):
    return struct.unpack("<I", struct.pack("<f", value))[0]
n = t.latent_size
z = bytearray(n)
assert t.encode(fill(0), z) is z and bytes(t.encode(x)) == bytes(z)
with open("latents.bin", "wb") as file:
    for k in range(6):
        file.write(t.encode(fill(k), z))
print(n, binascii.crc32(open("latents.bin", "rb").read()))
out = bytearray(10)
def replay():
    with open("latents.bin", "rb") as file:
        for k in range(6):
            file.readinto(z)
            yield z, k
for z, y in replay():
    print(bits(t.step(z, y, latent=True)), t.classify(z, latent=True))
print(binascii.crc32(t.predict(z, out, latent=True)), binascii.crc32(t.state))
losses = [loss for loss in t.slices(z, 3, budget_us=1, latent=True)]
print(len(losses) > 3, bits(losses[-1]))
print(round(6 * t.evaluate(replay(), latent=True)), binascii.crc32(t.state))
async def main():
    return await t.astep(z, 1, latent=True)
print(bits(asyncio.run(main()) if asyncio else t.step(x=z, y=1, latent=True)))
t.accumulate(z, 2, latent=True)
t.apply()
print(binascii.crc32(t.state))
def refused(call):
    try:
        call()
    except (TypeError, ValueError) as error:
        print(type(error).__name__, error)
refused(lambda: t.step(x, 1, latent=True))
refused(lambda: t.step(z, 1))
refused(lambda: t.encode(z))
refused(lambda: t.encode(x, bytearray(3)))
refused(lambda: t.predict(z, latent=True, budget_us=3))
def passes(count):
    gc.collect()
    gc.disable()
    before = gc.mem_free()
    for _ in range(count):
        t.encode(x, z)
        t.predict(z, out, latent=True)
        t.classify(z, latent=True)
    taken = before - gc.mem_free()
    gc.enable()
    return taken
passes(1)
print(passes(50))
"""


def in_simulator(built: Build) -> list[str]:
    """What the script prints, without what it refuses."""
    whole = Trainer(built.compiled)
    i = np.arange(784)
    xs = [(i * (37 + k) + (i * i >> 3) * k & 255).astype(np.uint8).view(np.int8) for k in range(6)]

    def bits(loss: float) -> int:
        return int(np.float32(loss).view(np.uint32))

    stored = b"".join(whole.encode(x).tobytes() for x in xs)
    lines = [f"{whole.latent_size} {zlib.crc32(stored)}"]
    for y, x in enumerate(xs):  # here without latents: they must not change a bit
        loss = bits(whole.step(x, y))
        lines.append(f"{loss} {whole.classify(x)}")
    lines.append(f"{zlib.crc32(whole.predict(x))} {zlib.crc32(whole.state)}")
    lines.append(f"True {bits(whole.step(x, 3))}")
    right = round(6 * whole.evaluate((x, y) for y, x in enumerate(xs)))
    lines.append(f"{right} {zlib.crc32(whole.state)}")
    lines.append(f"{bits(whole.step(x, 1))}")
    whole.accumulate(x, 2)
    whole.apply()
    lines.append(f"{zlib.crc32(whole.state)}")
    return lines


@pytest.mark.parametrize(
    ("board", "update"),
    [
        ("unix", "last:3"),
        ("m0", "last:2"),
        ("pico", "last:1"),
        pytest.param("m4f", "last:5", marks=pytest.mark.slow),
    ],
    indirect=["board"],
)
def test_latents_are_those_of_the_simulator(board: str, update: str, tmp_path: Path) -> None:
    options = Options(optimizer=Optimizer(batch=True), patches=100)
    built = build(MODEL, BOARDS[board], update, tmp_path / "build", options)
    put = [built.folder / "tinytrain.mpy", built.folder / "model.ttw"]
    result = drive.run(board, SCRIPT, put=put, timeout=300)
    assert (result.stderr, result.returncode) == ("", 0)
    *lines, a, b, c, d, e, heap = result.stdout.splitlines()
    assert lines == in_simulator(built)
    size = Trainer(built.compiled).latent_size
    assert [a, b, c] == [
        f"ValueError x: {size} bytes expected, got 784",
        *(f"ValueError x: 784 bytes expected, got {size}" for _ in range(2)),
    ]
    assert d == f"ValueError out: {size} bytes expected, got 3"
    assert e.startswith("TypeError") and heap == "0"


NONE = """
import tinytrain
t = tinytrain.Trainer("model.ttw")
x = bytes(784)
for call in (
    lambda: t.encode(x),
    lambda: t.step(x, 1, latent=True),
    lambda: t.predict(x, latent=True),
    lambda: t.slices(x, 1, latent=True),
):
    try:
        call()
    except ValueError as error:
        print(error)
print(t.latent_size, t.step(x, 1, latent=False) > 0)
"""


@pytest.mark.parametrize("board", ["unix"], indirect=True)
def test_builds_without_a_latent_say_so(board: str, tmp_path: Path) -> None:
    built = build(MODEL, BOARDS[board], "all", tmp_path / "build")
    put = [built.folder / "tinytrain.mpy", built.folder / "model.ttw"]
    result = drive.run(board, NONE, put=put)
    assert (result.stderr, result.returncode) == ("", 0)
    expected = ["no latent: no frozen layers come first"] * 4
    assert result.stdout.splitlines() == [*expected, "0 True"]
