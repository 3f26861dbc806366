"""The module on real MicroPython, with a hand-written model: methods, refusals, memory."""

from __future__ import annotations

import json
import re
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import drive
import pytest
import tiny_model
from tiny_model import OTHERS

Tiny = Callable[[str], Path]

on_some = pytest.mark.parametrize("board", ["unix", "m0", "pico"], indirect=True)
on_all = pytest.mark.parametrize(
    "board",
    ["unix", "m0", "pico", *(pytest.param(name, marks=pytest.mark.slow) for name in OTHERS)],
    indirect=True,
)

# What scripts share: refused(f) says how f fails, and that it left the parameters alone.
PREAMBLE = """
import binascii, gc, json, struct, tinytrain
from tinytrain import Trainer
SAMPLES = [(binascii.unhexlify(x), y) for x, y in {samples}]
X = SAMPLES[0][0]
def bits(value):
    return struct.unpack("<I", struct.pack("<f", value))[0]
def crc(t):
    return binascii.crc32(t.state)
def refused(f, t=None):
    before = t and crc(t)
    try:
        f()
    except Exception as error:
        assert not t or crc(t) == before, "the state has changed"
        return type(error).__name__ + ": " + str(error)
    return "accepted"
"""


def run(board: str, tiny: Tiny, script: str, romfs: Path | None = None) -> list[str]:
    """The lines that a script prints."""
    folder = tiny(drive.targets()[board].arch)
    samples = [(x.hex(), y) for x, y in tiny_model.samples(12)]
    result = drive.run(
        board,
        PREAMBLE.format(samples=samples) + script,
        put=[folder / "tinytrain.mpy", folder / "model.ttw"],
        romfs=romfs,
    )
    assert (result.stderr, result.returncode) == ("", 0)
    return result.stdout.splitlines()


@on_some
def test_training_is_the_hosts_bit_for_bit(board: str, tiny: Tiny, tmp_path: Path) -> None:
    script = """
t = Trainer("model.ttw")
print(t.predict(X), t.classify(X))
t.lr = 0.25
print([bits(t.step(x, y)) for _ in range(4) for x, y in SAMPLES])
print(crc(t), [t.classify(x) == y for x, y in SAMPLES].count(True))
t.reset()
print(t.predict(X), t.lr)
"""
    first, losses, after, again = run(board, tiny, script)
    host = tiny_model.HostModel.compile(tmp_path)
    samples = tiny_model.samples(12)
    output = list(struct.unpack("4b", host.predict(samples[0][0])))
    assert first == f"array('b', {output}) {output.index(max(output))}"
    host.set_rate(0.25)
    expected = host.train(samples * 4)
    assert json.loads(losses) == expected
    assert expected[-1] < expected[0]  # bits of positive floats are ordered as the floats
    assert after == f"{zlib.crc32(host.state.raw)} 12"
    assert again == f"array('b', {output}) 0.25"


@on_some
def test_attributes_and_repr(board: str, tiny: Tiny) -> None:
    script = """
t = Trainer("model.ttw")
print(t.name, t.input_shape, t.input_scale, t.input_zero_point)
print(t.output_shape, t.output_scale, t.output_zero_point, t.classes, t.ram, len(t.state))
print(abs(t.lr - 0.01) < 1e-9, Trainer.ram == t.ram)
print(t)
"""
    assert run(board, tiny, script) == [
        "tiny (1, 16) 0.0078125 -3",
        "(1, 4) 0.0625 5 4 336 152",
        "True True",
        (
            "<Trainer tiny: (1, 16) int8, scale 0.0078125, zero -3 -> (1, 4) int8, scale 0.0625, "
            "zero 5; 4 classes, lr 0.01; RAM: arena 184 + state 152; weights 120 bytes in RAM>"
        ),
    ]


@on_some
def test_weights_from_buffers(board: str, tiny: Tiny, tmp_path: Path) -> None:
    """bytes, bytearray, an aligned part of a larger buffer, ROMFS by path and by view."""
    rom = tmp_path / "rom"
    rom.mkdir()
    for name in "abcd":  # not every place in an image is aligned; one of four is, at the least
        (rom / f"{name}{'x' * ord(name)}").write_bytes(tiny_model.weights_file())
    (rom / "only_here.ttw").write_bytes(tiny_model.weights_file())
    script = """
import os
expected = bytes(Trainer("model.ttw").state)
data = open("model.ttw", "rb").read()
larger = bytearray(8 + len(data) + 5)
larger[8:8 + len(data)] = data
for weights in (data, bytearray(data), memoryview(data), memoryview(larger)[8:]):
    t = Trainer(weights)
    assert t.state == expected and "in place" in repr(t), weights
print(refused(lambda: Trainer(memoryview(larger)[8:8 + len(data) - 1])))
larger[2:2 + len(data)] = data
print(refused(lambda: Trainer(memoryview(larger)[2:])))
import uctypes
at = uctypes.addressof(larger)
larger[8:8 + len(data)] = data
t = Trainer(uctypes.bytearray_at(at + 8, len(data)))
assert t.state == expected and "in place" in repr(t)
assert "not aligned" in refused(lambda: Trainer(uctypes.bytearray_at(at + 2, len(data))))
found = refused(lambda: Trainer("only_here.ttw"))  # aligned or not, it is found
assert found == refused(lambda: Trainer("/rom/only_here.ttw")) and "OSError" not in found
assert refused(lambda: Trainer("nowhere.ttw"))[:7] == "OSError"
for name in os.listdir("/rom"):
    path = "/rom/" + name
    view = memoryview(open(path, "rb"))
    by_path, by_view = (refused(lambda: Trainer(w)) for w in (path, view))
    assert by_path == by_view
    if by_path == "accepted":
        assert Trainer(path).state == expected and "in place" in repr(Trainer(path))
    else:
        assert by_path == "ValueError: weights: not aligned to 4 bytes; pass a copy: bytes(weights)"
        assert Trainer(bytes(view)).state == expected
"""
    assert run(board, tiny, script, rom) == [
        "ValueError: weights: 152 bytes expected, got 151",
        "ValueError: weights: not aligned to 4 bytes; pass a copy: bytes(weights)",
    ]


@on_all
def test_wrong_weights_are_refused(board: str, tiny: Tiny) -> None:
    script = """
data = open("model.ttw", "rb").read()
def changed(at, byte, file=False):
    wrong = bytearray(data)
    wrong[at] = byte
    if file:
        with open("wrong.ttw", "wb") as f:
            f.write(wrong)
    return lambda: Trainer("wrong.ttw" if file else wrong)
print(refused(changed(0, 65)))
print(refused(changed(4, 9)) == refused(changed(8, 0)) == refused(changed(12, 0))
      == refused(changed(16, 0)) == refused(changed(12, 0, file=True)))
print(refused(changed(12, 0)))
print(refused(changed(20, 0)) == refused(changed(len(data) - 1, 77)))
print(refused(changed(len(data) - 1, 77)))
with open("short.ttw", "wb") as f:
    f.write(data[:40])
print(refused(lambda: Trainer("short.ttw")))
print(refused(lambda: Trainer("missing.ttw"))[:7])
for wrong in (None, 5, 1.5, [data]):
    print(refused(lambda: Trainer(wrong)))
print(refused(lambda: Trainer())[:9], refused(lambda: Trainer(data, 1))[:9])
"""
    expected = "TypeError: weights: path or buffer expected"
    assert run(board, tiny, script) == [
        "ValueError: weights: not a model.ttw",
        "True",
        "ValueError: weights: of another build; copy tinytrain.mpy and model.ttw of the same build",
        "True",
        "ValueError: weights: damaged (CRC differs); copy model.ttw again",
        "ValueError: weights: 152 bytes expected, got 40",
        "OSError",
        *[expected] * 4,
        "TypeError TypeError",
    ]


@on_all
def test_misuse_is_refused_and_changes_nothing(board: str, tiny: Tiny) -> None:
    script = """
from array import array
t = Trainer("model.ttw")
t.step(X, 0)
for x in (None, 3, "0123456789abcdef", array("h", X), [0] * 16, X[:-1], X + X):
    messages = {refused(lambda: f(x), t) for f in (lambda x: t.step(x, 1), t.predict, t.classify)}
    print(*messages)
for y in (-1, 4, 1 << 40, True, 1.0, None, "1"):
    print(refused(lambda: t.step(X, y), t))
for out in (7, bytes(4), bytearray(3), array("h", [0] * 2), "0123"):
    print(refused(lambda: t.predict(X, out), t))
def set_lr(value):
    t.lr = value
for lr in (-1, -1e-9, float("nan"), float("inf"), 1e39, True, None, "1"):
    message = refused(lambda: set_lr(lr), t)
    print(message if "lr:" in message else message[:9])
print(abs(t.lr - 0.01) < 1e-9)
set_lr(0)
assert t.lr == 0
set_lr(-0.0)
set_lr(1)
set_lr(0.5)
print(t.lr)
print(refused(lambda: setattr(t, "rate", 1), t)[:14], refused(lambda: t.nothing, t)[:14])
print(refused(lambda: t.step(X), t)[:9], refused(lambda: Trainer.step(1, X, 0), t)[:9])
"""
    buffer, number = (
        "TypeError: x: int8 buffer expected",
        "ValueError: lr: finite number >= 0 expected",
    )
    writable = "TypeError: out: writable buffer expected"
    assert run(board, tiny, script) == [
        *[buffer] * 5,
        "ValueError: x: 16 bytes expected, got 15",
        "ValueError: x: 16 bytes expected, got 32",
        "ValueError: y: 0 to 3 expected, got -1",
        "ValueError: y: 0 to 3 expected, got 4",
        "ValueError: y: 0 to 3 expected, got 1099511627776",
        *["TypeError: y: int expected"] * 4,
        writable,
        writable,
        "ValueError: out: 4 bytes expected, got 3",
        writable,
        writable,
        *[number] * 5,
        "TypeError: lr: number expected",
        "TypeError",
        "TypeError",
        "True",
        "0.5",
        "AttributeError AttributeError",
        "TypeError TypeError",
    ]


@on_some
def test_steps_allocate_nothing(board: str, tiny: Tiny) -> None:
    """With the collector off, a step takes the float it returns; the rest takes nothing."""
    script = """
t = Trainer("model.ttw")
out = bytearray(4)
def work(n):
    for _ in range(n):
        t.step(X, 1)
        t.predict(X, out)
        t.classify(X)
def quiet(n):
    for _ in range(n):
        t.predict(X, out)
        t.classify(X)
quiet(1)
before = drift = 0  # names that come later might let the dictionary grow
for _ in range(3):  # the collector may take an old word of the stack for a float
    work(100)
    gc.collect()
    drift, before = before - gc.mem_free(), gc.mem_free()
gc.disable()
before = gc.mem_free()
quiet(50)
print(drift, before - gc.mem_free())
before = gc.mem_free()
for _ in range(50):
    t.step(X, 1)
per_step = (before - gc.mem_free()) // 50
before = gc.mem_free()
for _ in range(50):
    X[0] * 0.3
print(per_step <= (before - gc.mem_free()) // 50)
"""
    assert run(board, tiny, script) == ["0 0", "True"]


@on_some
def test_state_cannot_be_resized(board: str, tiny: Tiny) -> None:
    script = """
t = Trainer("model.ttw")
state, size = t.state, len(t.state)
def put(start, stop, data):
    state[start:stop] = data
for start, stop, length in ((0, size, size + 1), (0, size, 9), (8, 8, 64), (0, 4, 0), (4, 8, 999)):
    assert refused(lambda: put(start, stop, bytes(length)), t) != "accepted", length
for name in ("append", "extend"):
    assert not hasattr(state, name)
others = [bytearray(b"\\xa5" * 64) for _ in range(20)]
saved = bytes(state)
t.step(X, 1)
trained = bytes(state)
put(0, size, saved)
assert t.state == saved != trained
put(4, 8, b"wxyz")
assert bytes(t.state) == saved[:4] + b"wxyz" + saved[8:]
gc.collect()
print(len(t.state) == size, all(o == b"\\xa5" * 64 for o in others))
"""
    assert run(board, tiny, script) == ["True True"]


@on_all
def test_closing(board: str, tiny: Tiny) -> None:
    script = """
with Trainer("model.ttw") as t:
    state = t.state
    state[20] = 99
    assert t.state[20] == 99
    kept = bytes(state)
print(t)
def set_lr():
    t.lr = 1
for f in (lambda: t.step(X, 0), lambda: t.predict(X), lambda: t.classify(X), t.reset,
          lambda: t.state, lambda: t.lr, set_lr, t.__enter__):
    assert refused(f) == "ValueError: Trainer is closed"
t.deinit()
gc.collect()
others = [Trainer("model.ttw") for _ in range(3)]
print(bytes(state) == kept, t.ram)
others[0].step(X, 1)
print(crc(others[0]) != crc(others[1]) == crc(others[2]))
try:
    with Trainer("model.ttw") as t:
        raise KeyError
except KeyError:
    print(t)
"""
    assert run(board, tiny, script) == [
        "<Trainer tiny (closed)>",
        "True 336",
        "True",
        "<Trainer tiny (closed)>",
    ]


@on_some
def test_memory_is_kept_and_given_back(board: str, tiny: Tiny) -> None:
    """A Trainer keeps weights that nobody else holds; dropped or closed ones cost nothing."""
    script = """
t = Trainer(open("model.ttw", "rb").read())
before = crc(t)
for _ in range(20):
    gc.collect()
    junk = [bytearray(b"\\xff" * 152) for _ in range(20)]
t.step(X, 1)
t.reset()
print(crc(t) == before)
junk = t = None
def make():
    Trainer("model.ttw").deinit()
    Trainer("model.ttw")
make()
gc.collect()
before = gc.mem_free()
for _ in range(30):
    make()
gc.collect()
print(abs(before - gc.mem_free()) < 2000)
"""
    assert run(board, tiny, script) == ["True", "True"]


@on_all
def test_too_large_a_model_says_what_it_needs(board: str, tmp_path: Path) -> None:
    tiny_model.build(tmp_path, drive.targets()[board].arch, TT_ARENA_BYTES=8_000_000)
    script = """
try:
    Trainer("model.ttw")
except MemoryError as error:
    print(error)
"""
    (text,) = run(board, lambda target: tmp_path, script)
    assert re.fullmatch(r"8000152 bytes needed in one piece, \d+ free", text)


@on_some
def test_a_build_that_only_predicts(board: str, tiny: Tiny, tmp_path: Path) -> None:
    tiny_model.build(tmp_path, drive.targets()[board].arch, TT_CLASSES=0, TT_LOSS="TT_LOSS_NONE")
    script = """
t = Trainer("model.ttw")
print(t.classes, refused(lambda: t.step(X, 0), t))
print(list(t.predict(X)))
"""
    only = run(board, lambda target: tmp_path, script)
    assert only[0] == "0 ValueError: built to predict only; build with --update"
    assert only[1:] == run(board, tiny, script)[1:]
