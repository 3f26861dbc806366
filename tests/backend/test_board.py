"""Board files and self-test vectors: what is read, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import drive
import pytest
import tiny_model

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
    if board.emulator is not None:
        assert drive.targets()[board.emulator].arch == board.target


def test_boards_are_all_there() -> None:
    demanded = (
        "rpi_pico rpi_pico_w rpi_pico2 rpi_pico2_riscv esp32 esp32_s2 esp32_s3 esp32_c3 esp32_c6 "
        "pyboard_v11 nucleo_f446re stm32f746_disco nucleo_h743zi nucleo_wb55 nucleo_l476rg "
        "arduino_giga arduino_portenta_h7 openmv_h7 unix"
    )
    assert set(demanded.split()) <= set(known_boards())
    emulated = {load_board(name).emulator for name in known_boards()}
    assert set(drive.targets()) <= emulated  # the test bed has no target without a board


@pytest.fixture(scope="module")
def module_for(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], bytes]:
    """The hand-written model's module by target and core, each built once."""

    @cache
    def build(target: str, core: str) -> bytes:
        folder = tmp_path_factory.mktemp(f"{target}{core}")
        tiny_model.build(folder, target, core)
        return (folder / "tinytrain.mpy").read_bytes()

    return build


@pytest.mark.parametrize("name", known_boards())
def test_each_board_builds(name: str, module_for: Callable[[str, str], bytes]) -> None:
    board = load_board(name)
    module = module_for(board.target, board.core)
    assert MpyTag.of_file(module) == MpyTag(6, 3, ARCHITECTURES[board.target])
    assert len(module) < board.heap_bytes


def test_unknown_cores_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD + 'core = "esp32"\n')
    with pytest.raises(BoardError, match="unknown core 'esp32' of armv6m; known: none"):
        load_board(path)


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
    test = SelfTest.of(bytes(range(256)), b"\x80\x7f", [0, 1], 0.01, [1.5, 0.25], [b"state"] * 2)
    assert test.losses == (0x3FC00000, 0x3E800000)
    assert SelfTest.from_json(test.to_json()) == test
    for wrong in ("", "[]", "{}", test.to_json().replace('"format": ', '"format": 9')):
        with pytest.raises(BoardError, match="build again"):
            SelfTest.from_json(wrong)
