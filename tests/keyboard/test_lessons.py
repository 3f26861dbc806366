"""What the board computes and remembers: rows of contexts, the order of lessons, the memory."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

TEXT = "The quick brown fox's den -- 3 of them!\nJumps over lazy dogs, again and again.\n" * 3


def learner(folder: Path) -> Any:
    import lessons

    sample = folder / "general.bin"
    sample.write_bytes(bytes(i * 7 % 96 for i in range(3000)))
    return lessons.Learner(lessons.Sample(str(sample)))


def drain(board: Any, most: int = 1 << 30) -> list[tuple[tuple[int, ...], int]]:
    """The next lessons, at most so many."""
    found = []
    while len(found) < most and board.next():
        found.append((tuple(board.x), board.y))
    return found


def test_rows_of_board_and_host_are_the_same() -> None:
    import keyrows

    from keyboard import text

    rng = np.random.default_rng(0)
    codes = np.concatenate([text.codes(TEXT), rng.integers(0, 96, 500).astype(np.uint8)])
    data, out = text.padded(codes).tobytes(), [0] * keyrows.INPUTS
    for i, row in enumerate(text.rows(codes)):
        keyrows.rows(data, i + keyrows.REACH, out)
        assert out == row.tolist()
        assert min(out) >= 0 and max(out) < keyrows.TABLE


def test_rows_tell_contexts_apart() -> None:
    import keyrows

    from keyboard import text

    rows = text.rows(text.codes("the cat, a cat, the cat."))
    ends = [7, 14, 23]  # behind each "cat"
    word, two_words = keyrows.INPUTS - 2, keyrows.INPUTS - 1
    assert len({int(rows[i, word]) for i in ends}) == 1
    assert rows[7, two_words] == rows[23, two_words] != rows[14, two_words]


def test_codes_are_reversible() -> None:
    import keyrows

    printable = "".join(map(chr, range(32, 127))) + "\n"
    codes = [keyrows.code_of(c) for c in printable]
    assert codes == list(range(96))
    assert "".join(map(keyrows.key_of, codes)) == printable
    assert keyrows.code_of("é") == keyrows.code_of(" ")


@pytest.mark.parametrize("seed", range(3))
def test_lessons_do_not_depend_on_time(tmp_path: Path, seed: int) -> None:
    import keyrows

    at_once, in_between, rng = learner(tmp_path), learner(tmp_path), random.Random(seed)
    one: list[Any] = []
    two: list[Any] = []
    for key in TEXT:
        for board in (at_once, in_between):
            board.typed(keyrows.code_of(key))
        one += drain(at_once)
        two += drain(in_between, rng.choice([0, 0, 1, 3, 30]))
    two += drain(in_between)
    assert one == two
    assert at_once.left_out == in_between.left_out == 0


def test_each_character_is_learned_once_as_new(tmp_path: Path) -> None:
    import keyrows
    import lessons

    from keyboard import text

    board = learner(tmp_path)
    for key in TEXT:
        board.typed(keyrows.code_of(key))
    assert board.left_out == 0
    found = drain(board)
    assert len(found) == len(lessons.LESSONS) * (len(TEXT) - lessons.LAG)
    new = found[:: len(lessons.LESSONS)]
    codes = text.codes(TEXT)
    rows = text.rows(codes)
    assert [y for _, y in new] == codes[: -lessons.LAG].tolist()
    assert [x for x, _ in new] == [tuple(row) for row in rows[: -lessons.LAG].tolist()]


def test_memory_overwrites_the_oldest_and_rehearses_only_what_it_has(tmp_path: Path) -> None:
    import keyrows
    import lessons

    board, secret = learner(tmp_path), b"A" * 40
    for _ in secret:
        board.typed(33)
    assert secret.replace(b"A", b"!") in bytes(board.memory.codes)
    for i in range(lessons.KEEP + 2 * lessons.WAITING + keyrows.REACH):
        board.typed(1 + i % 20)
        drain(board, 8)
    assert 33 not in board.memory.codes
    assert all(y != 33 for _, y in drain(board)[:: len(lessons.LESSONS)])
    assert board.memory.count() == 40 + lessons.KEEP + 2 * lessons.WAITING + keyrows.REACH
    board.forget()
    assert set(board.memory.codes) == {keyrows.NEWLINE}


def test_who_types_faster_than_it_learns_is_told(tmp_path: Path) -> None:
    import lessons

    board = learner(tmp_path)
    for i in range(lessons.WAITING + 100):
        board.typed(i % 96)
    assert board.left_out == 100
    assert len(drain(board)) == (lessons.WAITING - lessons.LAG) * len(lessons.LESSONS)


def test_corrections_come_before_learning(tmp_path: Path) -> None:
    import keyrows
    import lessons

    board, plain = learner(tmp_path), learner(tmp_path)
    for key in "teh":
        board.typed(keyrows.code_of(key))
    for key in "eh"[::-1]:
        assert board.backspace(), key
    for key in "he quick brown fox":
        board.typed(keyrows.code_of(key))
    for key in "the quick brown fox":
        plain.typed(keyrows.code_of(key))
    assert drain(board) == drain(plain)
    for _ in range(lessons.LAG):
        assert board.backspace()
    assert not board.backspace()  # the rest is learned


def test_rates_are_the_same_number_as_float32() -> None:
    import lessons

    rates = [lessons.rate(n) for n in (0, 19_999, 20_000, 60_000, 1_000_000)]
    assert rates == sorted(rates, reverse=True) and len(set(rates)) == 3
    assert all(float(np.float32(rate)) == rate for rate in rates)


class Pin:
    """A pin of a matrix: a column is low if a pressed switch connects it to a row that is."""

    OUT, IN, PULL_UP = 0, 1, 2

    def __init__(self, rows: list[Pin] | None = None, column: int = 0) -> None:
        self.level, self.rows, self.column = 1, rows, column
        self.pressed: set[int] = set()

    def init(self, mode: int, pull: int | None = None, value: int = 1) -> None:
        self.level = value
        assert (mode == self.IN) == (self.rows is not None) == (pull is not None)

    def value(self, level: int | None = None) -> int:
        if level is not None:
            self.level = level
        if self.rows is None:
            return self.level
        return int(not any(row.level == 0 and self.column in row.pressed for row in self.rows))


def test_matrix_counts_a_key_once_and_no_bouncing() -> None:
    import keys

    rows = [Pin(), Pin()]
    matrix = keys.Matrix(rows, [Pin(rows, i) for i in range(3)], "abcdef")
    rows[1].pressed = {2}
    matrix.scan()
    rows[1].pressed = set()  # it bounced
    matrix.scan()
    assert matrix.pressed == []
    rows[1].pressed, rows[0].pressed = {2}, {0}
    for _ in range(5):
        matrix.scan()
    assert matrix.pressed == ["a", "f"]
