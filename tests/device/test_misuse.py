"""Random calls of a Trainer on boards, most of them wrong: nothing gets corrupted."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import drive
import firmware
import pytest
from tiny_model import OTHERS

from tinytrain.build import build

FUZZ = """
import binascii, tinytrain
from array import array
from tinytrain import Trainer
t = Trainer("model.ttw")
N = 1
for size in t.input_shape:
    N *= size
X = bytearray(i & 127 for i in range(N))
seed = 1
def rnd(n):
    global seed
    seed = (seed * 1103515245 + 12345) & 0x7FFFFFFF
    return (seed >> 8) % n
class Odd:
    def __len__(self):
        return N
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
VALUES += ["", "x", "model.ttw", b"", b"0123", bytes(N), bytearray(N - 1), bytearray(N), X]
VALUES += [memoryview(X), memoryview(X)[1:], array("b", X), array("h", X), array("f", X)]
VALUES += [array("f", [float("nan")] * N), [X, 1], (X, 2), [(X, 2)], [(X, 9)], {}, object(), Odd]
VALUES += [Odd(), len, Trainer]
def any_value():
    return VALUES[rnd(len(VALUES))]
def some_x():
    if rnd(4):
        X[rnd(N)] = rnd(256)
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


def check(line: str) -> None:
    """What the script prints: steps were compared, calls were refused, and with what."""
    assert line.startswith("True True [")
    kinds = set(ast.literal_eval(line[len("True True ") :]))
    usual = {"TypeError", "ValueError", "KeyError", "OSError", "RuntimeError"}
    assert usual <= kinds
    assert kinds <= usual | {"AttributeError", "StopIteration", "OverflowError", "ImportError"}


@pytest.mark.parametrize(
    ("board", "calls"),
    [
        ("unix", 10_000),
        ("m0", 1_000),
        pytest.param("pico", 1_000, marks=pytest.mark.slow),
        *(pytest.param(board, 500, marks=pytest.mark.slow) for board in OTHERS),
    ],
    indirect=["board"],
)
def test_random_calls_corrupt_nothing(board: str, calls: int, tiny: Callable[[str], Path]) -> None:
    """What is refused changes no parameter; what was accepted, taken again, gives the same bits."""
    folder = tiny(drive.targets()[board].arch)
    put = [folder / "tinytrain.mpy", folder / "model.ttw"]
    result = drive.run(board, FUZZ.replace("{calls}", str(calls)), put=put, timeout=600)
    assert (result.stderr, result.returncode) == ("", 0)
    check(result.stdout)


@pytest.mark.slow
@pytest.mark.parametrize("board", ["unix"], indirect=True)
def test_random_calls_under_the_address_sanitizer(board: str, tmp_path: Path) -> None:
    """The same as part of a firmware in which every access is checked."""
    model = Path(__file__).parents[2] / "examples" / "digits" / "fashion.tflite"
    built = build(model, "unix", "all", tmp_path / "build", user_c_module=True)
    flags = "-fsanitize=address --param asan-use-after-return=0"
    program = firmware.unix(built.folder / "usermod", tmp_path / "micropython", flags)
    script = FUZZ.replace("{calls}", "10000")
    put = [built.folder / "model.ttw"]
    result = drive.run(board, script, put=put, firmware=program, timeout=600)
    assert (result.stderr, result.returncode) == ("", 0)
    check(result.stdout)


REENTRY = """
import tinytrain
from tinytrain import Trainer
t, u, v = Trainer("model.ttw"), Trainer("model.ttw"), Trainer("model.ttw")
X = bytes(range(16))
def fails(f):
    try:
        f()
    except Exception as error:
        print(type(error).__name__, error)
def stepping():
    for y in range(3):
        t.step(X, y)
        yield X, y
def slicing():
    slices = t.slices(X, 1, budget_us=1)
    next(slices)
    yield X, 0
    next(slices)
def closing():
    yield X, 0
    t.deinit()
    yield X, 1
t.evaluate(stepping())
for y in range(3):
    u.step(X, y)
print(t.state == u.state)
fails(lambda: t.evaluate(slicing()))
print(t.state == u.state)
one, two = t.slices(X, 1, budget_us=1), v.slices(X, 2, budget_us=1)
a = b = None
while a is None or b is None:
    a = next(one) if a is None else a
    b = next(two) if b is None else b
w = Trainer("model.ttw")
print(a == u.step(X, 1), t.state == u.state, b == w.step(X, 2), v.state == w.state)
slices = t.slices(X, 1)
fails(lambda: t.evaluate(closing()))
fails(lambda: next(slices))
y = bytearray(1)
fails(lambda: u.slices(X, y))
"""


@pytest.mark.parametrize(
    "board",
    ["unix", "m0", "pico", *(pytest.param(name, marks=pytest.mark.slow) for name in OTHERS)],
    indirect=True,
)
def test_reentry_and_several_trainers(board: str, tiny: Callable[[str], Path]) -> None:
    folder = tiny(drive.targets()[board].arch)
    result = drive.run(board, REENTRY, put=[folder / "tinytrain.mpy", folder / "model.ttw"])
    assert (result.stderr, result.returncode) == ("", 0)
    assert result.stdout.splitlines() == [
        "True",
        "RuntimeError step given up: the Trainer was used for something else",
        "True",
        "True True True True",
        "ValueError Trainer is closed",
        "ValueError Trainer is closed",
        "TypeError y: int expected",
    ]
