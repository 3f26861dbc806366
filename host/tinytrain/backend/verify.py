"""What is asked of a build that is on a board already: its self-test, and how fast it is."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tinytrain.backend.connection import Board, check_board, connect
from tinytrain.backend.deploy import MODULE, WEIGHTS, Say, read_build
from tinytrain.backend.placement import room_of
from tinytrain.backend.selftest import SelfTest
from tinytrain.backend.verification import STEP_SECONDS, Outcome, run_selftest
from tinytrain.errors import BoardError
from tinytrain.resources import mpy_module_dir

DEPLOY = "run `tinytrain deploy` first"
BUDGET = 2000  # microseconds of a slice
SECONDS = 1.0  # a measurement repeats its call for about that long, at least twice
MOST_CALLS = 1000
STEPS = 3  # of which the best time of each call is taken


@dataclass(frozen=True, slots=True)
class Timing:
    """One call: microseconds of the best run, and how many there were. For "slice": of the longest
    one, and how many a step had."""

    what: str
    microseconds: int
    calls: int


@dataclass(frozen=True, slots=True)
class CallTiming:
    """One kernel call of a step: its layer, and microseconds of the best of several steps."""

    layer: str
    kernel: str
    microseconds: int


@dataclass(frozen=True, slots=True)
class Bench:
    """Clock of the board in Hz (0: unknown to it), and how long its calls take."""

    hertz: int
    timings: tuple[Timing, ...]
    calls: tuple[CallTiming, ...] = ()


def verify(build_dir: Path, port: str | None = None, *, say: Say = lambda text: None) -> Outcome:
    """Check that the board has this build, run its whole self-test there, with a checkpoint.

    Nothing is copied; what differs is a BoardError.
    """
    test, module, weights = read_build(build_dir)
    with connect(port) as board:
        say(f"board: {check_board(board, module)}")
        expression = find_weights(board, module, weights)
        say(f"weights: {expression}")
        steps = len(test.losses)
        outcome = run_selftest(board, test, expression, steps=steps, checkpoint=True)
    for line in outcome.lines():
        say(line)
    return outcome


def find_weights(board: Board, module: bytes, weights: bytes) -> str:
    """The Trainer's argument on a board that has this very build; BoardError if it has another."""
    if _digest(board, f"'{MODULE}'") != hashlib.sha256(module).hexdigest():
        raise BoardError(f"the board has another {MODULE} than the build, or none; {DEPLOY}")
    room = room_of(board)
    places = [f"'{WEIGHTS}'", f"'/rom/{WEIGHTS}'"]
    if room.flash_start < room.flash_end:
        places.append(f"memoryview(__import__('rp2').Flash(start={room.flash_start}))")
    wanted = hashlib.sha256(weights).hexdigest()
    for place in places:
        if _digest(board, place, len(weights)) == wanted:
            return place
    raise BoardError(f"the board has other weights than the build, or none; {DEPLOY}")


def _digest(board: Board, place: str, size: int | None = None) -> str:
    """SHA-256 of a file, or of the first bytes of a buffer; nothing if there is none."""
    script = DIGEST.replace("PLACE", place).replace("SIZE", str(size))
    return board.run(script, f"reading {place}", STEP_SECONDS)


DIGEST = """
import hashlib, binascii
try:
    _p, _n = PLACE, SIZE
    _h = hashlib.sha256()
    if isinstance(_p, str):
        with open(_p, "rb") as _f:
            while True:
                _b = _f.read(512)
                if not _b:
                    break
                _h.update(_b)
    else:
        for _i in range(0, _n, 512):
            _h.update(bytes(_p[_i:min(_n, _i + 512)]))
    print(binascii.hexlify(_h.digest()).decode())
except OSError:
    print()
"""


def bench(
    build_dir: Path,
    port: str | None = None,
    *,
    budget: int = BUDGET,
    calls: Sequence[tuple[str, str]] = (),
    say: Say = lambda text: None,
) -> Bench:
    """Measure predict, step and the slices of a step. budget: of a slice, in microseconds.

    calls: layer and kernel of each call of a step, to measure these too.
    """
    test, module, weights = read_build(build_dir)
    with connect(port) as board:
        say(f"board: {check_board(board, module)}")
        expression = find_weights(board, module, weights)
        script = (mpy_module_dir() / "selftest.py").read_text(encoding="utf-8")
        board.run(script, "import of tinytrain")
        *trainer, _ = board.run(f"make({expression})", "making a Trainer").splitlines()
        say(" ".join(trainer))
        hertz = int(board.run(CLOCK, "asking for the clock"))
        _fill(board, test)
        each: tuple[CallTiming, ...] = ()
        timings = [_measure(board, *what) for what in _calls(test)]
        if test.losses and board.run("print(hasattr(trainer, 'slices'))", "asking") == "True":
            said = board.run(f"longest({_goal(test)}, {budget})", "timing slices", STEP_SECONDS)
            timings.append(Timing("slice", *map(int, said.split())))
            each = _measure_calls(board, test, calls) if calls else ()
    return Bench(hertz, tuple(timings), each)


def _measure_calls(
    board: Board, test: SelfTest, calls: Sequence[tuple[str, str]]
) -> tuple[CallTiming, ...]:
    """What the iterator takes between two calls is measured on average, and subtracted."""
    said = board.run(f"calls({_goal(test)}, {STEPS})", "timing calls", STEPS * STEP_SECONDS)
    whole, *each = map(int, said.split())
    if len(each) != len(calls):
        raise BoardError(f"the board's step has {len(each)} calls, the build's {len(calls)}")
    between = max(0, sum(each) - whole) // len(each)
    return tuple(
        CallTiming(layer, kernel, max(0, took - between))
        for (layer, kernel), took in zip(calls, each, strict=True)
    )


CLOCK = """
try:
    import machine
    _c = machine.freq()
    print(_c[0] if isinstance(_c, tuple) else _c)
except (ImportError, AttributeError):
    print(0)
"""
MEASURE = """
import gc, time
def measure(f, microseconds, most):
    gc.collect()
    best, total, calls = 1 << 30, 0, 0
    while calls < 2 or total < microseconds and calls < most:
        begin = time.ticks_us()
        f()
        took = time.ticks_diff(time.ticks_us(), begin)
        best, total, calls = min(best, took), total + took, calls + 1
    print(best, calls)
def longest(y, budget):
    worst = calls = 0
    begin = time.ticks_us()
    for _ in trainer.slices(x, y, budget):
        worst = max(worst, time.ticks_diff(time.ticks_us(), begin))
        calls += 1
        begin = time.ticks_us()
    print(worst, calls)
def calls(y, steps):
    best, whole = None, 1 << 30
    for _ in range(steps):
        gc.collect()
        begin = time.ticks_us()
        trainer.step(x, y)
        whole = min(whole, time.ticks_diff(time.ticks_us(), begin))
        now = []
        slices = trainer.slices(x, y, 0)
        begin = time.ticks_us()
        for _ in slices:
            now.append(time.ticks_diff(time.ticks_us(), begin))
            begin = time.ticks_us()
        best = [min(a, b) for a, b in zip(best or now, now)]
    print(whole, *best)
"""


def _fill(board: Board, test: SelfTest) -> None:
    board.put("x", test.x)
    board.run(f"y = bytearray({len(test.target)})", "making a target")
    if test.target:
        board.put("y", test.target)
    board.run(f"out = bytearray({len(test.output)})", "making an output")
    board.run(MEASURE, "preparing")


def _calls(test: SelfTest) -> list[tuple[str, str]]:
    calls = [("predict", "trainer.predict(x, out)")]
    if test.losses:
        calls.append(("step", f"trainer.step(x, {_goal(test)})"))
    return calls


def _goal(test: SelfTest) -> str:
    return "y" if test.target else "0"


def _measure(board: Board, what: str, call: str) -> Timing:
    code = f"measure(lambda: {call}, {int(SECONDS * 1e6)}, {MOST_CALLS})"
    best, calls = map(int, board.run(code, f"timing {what}", STEP_SECONDS).split())
    return Timing(what, best, calls)
