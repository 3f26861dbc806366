"""Board files and self-test vectors: what is read, and what is refused."""

from __future__ import annotations

from pathlib import Path

import drive
import pytest

from tinytrain.backend.board import boards_with, known_boards, load_board
from tinytrain.backend.mpy_file import ARCHITECTURES, MpyTag
from tinytrain.backend.selftest import SelfTest
from tinytrain.errors import BoardError

GOOD = 'title = "T"\ntarget = "armv6m"\nheap_bytes = 1\nstack_bytes = 2\nweights = ["file"]\n'


@pytest.mark.parametrize("name", known_boards())
def test_known_boards_are_complete(name: str) -> None:
    board = load_board(name)
    figures = {"heap_bytes", "stack_bytes", "weights"}
    figures |= {f for f in ("flash_bytes", "clock_hz") if getattr(board, f) is not None}
    assert figures <= set(board.sources)  # every figure says where it comes from
    assert board.emulator in drive.targets()
    assert drive.targets()[str(board.emulator)].arch == board.target


def test_board_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD)
    board = load_board(path)
    assert (board.name, board.clock_hz, board.flash_weights) == ("mine", None, False)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD.replace("heap_bytes = 1", ""), "heap_bytes is missing"),
        (GOOD.replace("= 1", "= 0"), "heap_bytes must be positive"),
        (GOOD.replace("= 1", '= "1"'), "heap_bytes must be int"),
        (GOOD.replace("= 1", "= true"), "heap_bytes must be int"),
        (GOOD.replace("armv6m", "z80"), "unknown target 'z80'; known: .*armv6m"),
        (GOOD.replace('"file"', '"tape"'), "weights must be among"),
        (GOOD + "colour = 3", "unknown colour"),
        ("= nonsense", "cannot be read"),
    ],
)
def test_wrong_board_files(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(BoardError, match=message):
        load_board(path)


def test_unknown_board_lists_the_known() -> None:
    with pytest.raises(BoardError, match=r"unknown board 'pico9'; known: .*rpi_pico.*unix"):
        load_board("pico9")
    with pytest.raises(BoardError, match="cannot be read"):
        load_board("nowhere/pico9.toml")


def test_boards_by_target() -> None:
    assert {"rpi_pico", "qemu_m0"} <= set(boards_with("armv6m"))
    assert boards_with("z80") == ()


def test_thumb_boards_load_simpler_thumb_modules() -> None:
    def tag(name: str) -> MpyTag:
        return MpyTag(6, 3, ARCHITECTURES[name])

    assert tag("armv7emsp").loads(tag("armv6m"))
    assert not tag("armv6m").loads(tag("armv7emsp"))
    assert not tag("rv32imc").loads(tag("armv6m"))
    assert tag("x64").loads(tag("x64"))
    assert not MpyTag(6, 2, tag("x64").architecture).loads(tag("x64"))
    assert MpyTag.of_board(4870) == tag("armv6m")  # sys.implementation._mpy of a Pico
    with pytest.raises(BoardError, match=r"not an \.mpy"):
        MpyTag.of_file(b"PK\3\4")


def test_selftest_comes_back_as_it_went() -> None:
    test = SelfTest.of(bytes(range(256)), b"\x80\x7f", [0, 1], 0.01, [1.5, 0.25], b"state")
    assert test.losses == (0x3FC00000, 0x3E800000)
    assert SelfTest.from_json(test.to_json()) == test
    for wrong in ("", "[]", "{}", test.to_json().replace('"format": 1', '"format": 2')):
        with pytest.raises(BoardError, match="build again"):
            SelfTest.from_json(wrong)
