"""The keyboard on the host: the board's lessons for the simulator's Trainer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import keyrows
import lessons
import numpy as np
from numpy.typing import NDArray

import tinytrain
from keyboard.text import Codes, padded
from keyboard.text import rows as rows_of
from tinytrain.ir.optimizer import Optimizer
from tinytrain.sim.trainer import Trainer

HERE = Path(__file__).resolve().parent
MODEL, SAMPLE, SCHEME = HERE / "keys.tflite", HERE / "general.bin", HERE / "update.toml"

ALL = lessons.LESSONS
ALONE = tuple(kind for kind in ALL if kind != lessons.GENERAL)
"""What is learned after each character: all of it, and without general text."""
# 8 bits are too coarse for rates as low as these, 16 leave too little of a Pico's memory
OPTIMIZER = Optimizer(master=12)

Rows = NDArray[np.int32]


class Model(Protocol):
    """What learns and is asked."""

    def learn(self, rows: Rows, code: int, rate: float) -> None:
        """One step."""

    def bits(self, text: Codes) -> float:
        """Bits per character of a text."""


class Integers:
    """The simulator: the same bits as on a board."""

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer

    @classmethod
    def pretrained(cls) -> Integers:
        """As it comes."""
        return cls(tinytrain.simulate(MODEL, update=str(SCHEME), optimizer=OPTIMIZER))

    def learn(self, rows: Rows, code: int, rate: float) -> None:
        """One step."""
        self.trainer.lr = rate
        self.trainer.step(rows, code)

    def bits(self, text: Codes) -> float:
        """By the losses of steps that change nothing: their rate is 0."""
        with unchanged(self.trainer):
            self.trainer.lr = 0
            rows = rows_of(text)
            losses = [self.trainer.step(x, int(y)) for x, y in zip(rows, text, strict=True)]
        return float(np.mean(losses) / np.log(2))

    def likeliest(self, before: bytes) -> int:
        """The code that the board would suggest after at least REACH others."""
        rows = np.zeros(keyrows.INPUTS, np.int32)
        keyrows.rows(before, len(before), rows)
        return self.trainer.classify(rows)


@contextmanager
def unchanged(trainer: Trainer) -> Iterator[None]:
    """Puts the state back."""
    before = trainer.state.copy()
    try:
        yield
    finally:
        trainer.state[:] = before


def practise(
    model: Model,
    typed: Codes,
    stops: Sequence[int],
    at: Callable[[int], None],
    kinds: tuple[int, ...] = ALL,
) -> int:
    """Learn what is typed as the board does; `at(n)` after n characters. Steps taken."""
    steps = 0
    board = lessons.Learner(lessons.Sample(SAMPLE), kinds)
    for n, code in enumerate(typed, 1):
        board.typed(int(code))
        while board.next():
            x = np.frombuffer(board.x, np.int32).copy()
            model.learn(x, board.y, lessons.rate(steps))
            steps += 1
        if n in stops:
            at(n)
    return steps


class Guesser(Protocol):
    """What completes words."""

    def likeliest(self, before: bytes) -> int:
        """The code that is likeliest to follow."""


def keys_saved(model: Guesser, text: Codes, longest: int = 14) -> float:
    """The fraction of keys that completions save: a word's rest, of two letters or more and as it
    is in the text, is taken with one key instead of one a letter."""
    data, start = padded(text).tobytes(), keyrows.REACH
    keys, i = 0, start
    while i < len(data):
        end = i
        while end < len(data) and end - i < longest and keyrows.is_letter(data[end]):
            if model.likeliest(data[end - keyrows.REACH : end]) != data[end]:
                break
            end += 1
        # what is shown ends where the model expects no letter
        right = end - i >= 2 and (
            end - i == longest
            or end == len(data)
            or not keyrows.is_letter(model.likeliest(data[end - keyrows.REACH : end]))
        )
        keys, i = keys + 1, end if right else i + 1
    return 1 - keys / len(text)
