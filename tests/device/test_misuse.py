"""Random calls of a Trainer on boards, most of them wrong: nothing gets corrupted."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import drive
import pytest

FUZZ = """
import binascii, tinytrain
from array import array
from tinytrain import Trainer
X = bytearray(range(16))
t = Trainer("model.ttw")
seed = 1
def rnd(n):
    global seed
    seed = (seed * 1103515245 + 12345) & 0x7FFFFFFF
    return (seed >> 8) % n
class Odd:
    def __len__(self):
        return 16
    def __getitem__(self, i):
        return 0
    def __iter__(self):
        return self
    def __next__(self):
        t.step(X, 1)
        log.append((bytes(X), 1, t.lr))
        raise KeyError
def pairs():
    for y in (0, 1, any_value()):
        yield X, y
VALUES = [None, 0, 1, 3, 4, -1, 1 << 29, 1 << 31, 1 << 70, True, 0.5, float("nan"), float("-inf")]
VALUES += ["", "x", "model.ttw", b"", b"0123", bytes(16), bytearray(15), bytearray(16), X]
VALUES += [memoryview(X), memoryview(X)[1:], array("b", X), array("h", X), array("f", X)]
VALUES += [array("f", [float("nan")] * 16), [X, 1], (X, 2), [(X, 2)], [(X, 9)], {}, object(), Odd]
VALUES += [Odd(), len, Trainer]
def any_value():
    return VALUES[rnd(len(VALUES))]
def some_x():
    if rnd(4):
        X[rnd(16)] = rnd(256)
        return X
    return any_value()
def some_y():
    return rnd(4) if rnd(4) else any_value()
log = []  # the steps that were accepted since a reset
checked = 0
def check():  # take them again
    global checked
    u = Trainer("model.ttw")
    for x, y, lr in log:
        u.lr = lr
        u.step(x, y)
    assert t.state == u.state
    checked += len(log)
    log.clear()
def step():
    x, y = some_x(), some_y()
    lr = t.lr
    t.step(x, y)
    log.append((bytes(x), y, lr))
def sliced():
    x, y = some_x(), some_y()
    lr, copy = t.lr, None
    try:
        copy = bytes(x)
    except Exception:
        pass
    slices = t.slices(x, y, budget_us=1)
    for _ in range(rnd(8)):
        loss = next(slices)
        if loss is not None:
            log.append((copy, y, lr))
            return
    if rnd(2):  # given up: what it changed is not known
        t.reset()
        log.clear()
        next(slices)
    else:
        list(slices)
        log.append((copy, y, lr))
def odd_evaluate():
    t.evaluate(Odd())
def reopen():
    global t
    check()
    t.deinit()
    try:
        t.step(X, 1)
    finally:
        t = Trainer("model.ttw")
def two():
    other = Trainer("model.ttw")
    other.step(X, 1)
    other.deinit()
def load():
    t.load(any_value())
    log.clear()
    t.reset()
def evaluate():
    t.evaluate(any_value())
def set_lr():
    t.lr = any_value()
def set_any():
    setattr(t, ("name", "state", "momentum", "weight_decay", "ram", "new")[rnd(6)], any_value())
OPS = [step, step, step, sliced, sliced, odd_evaluate, reopen, two, set_lr, set_any]
OPS += [load, evaluate]
OPS += [
    lambda: t.predict(some_x()),
    lambda: t.predict(some_x(), any_value()),
    lambda: t.classify(some_x()),
    lambda: t.evaluate(pairs()),
    lambda: t.quantize(any_value(), any_value()),
    lambda: t.slices(any_value(), any_value(), any_value()),
    lambda: t.slices(X, 1, nonsense=1),
    lambda: t.astep(any_value(), any_value()),
    lambda: Trainer(any_value()),
    lambda: t.step(*[any_value()] * rnd(5)),
    lambda: t.save(VALUES[rnd(12)]),
    lambda: t.__exit__(),
    lambda: t.reset(3),
    lambda: t.info(),
    lambda: t.nothing,
    lambda: repr(t),
]
kinds = set()
refused = 0
changing = (step, sliced, odd_evaluate, reopen, load, evaluate)
for n in range({calls}):
    op = OPS[rnd(len(OPS))]
    before = binascii.crc32(t.state)
    try:
        op()
    except Exception as error:
        refused += 1
        kinds.add(type(error).__name__)
    if op not in changing:
        assert binascii.crc32(t.state) == before, n
    if len(log) > 100:
        check()
        t.reset()
check()
print(checked > {calls} // 20, refused > {calls} // 3, sorted(kinds))
"""


@pytest.mark.parametrize(
    ("board", "calls"), [("unix", 10_000), ("m0", 1_000), ("pico", 1_000)], indirect=["board"]
)
def test_random_calls_corrupt_nothing(board: str, calls: int, tiny: Callable[[str], Path]) -> None:
    """What is refused changes no parameter; what was accepted, taken again, gives the same bits."""
    folder = tiny(drive.targets()[board].arch)
    put = [folder / "tinytrain.mpy", folder / "model.ttw"]
    result = drive.run(board, FUZZ.replace("{calls}", str(calls)), put=put, timeout=600)
    assert (result.stderr, result.returncode) == ("", 0)
    (line,) = result.stdout.splitlines()
    assert line.startswith("True True [")
    kinds = set(ast.literal_eval(line[len("True True ") :]))
    assert {"TypeError", "ValueError", "KeyError", "OSError", "RuntimeError"} <= kinds
    assert kinds <= {
        *("TypeError", "ValueError", "KeyError", "OSError", "RuntimeError"),
        *("AttributeError", "StopIteration", "OverflowError", "ImportError"),
    }
