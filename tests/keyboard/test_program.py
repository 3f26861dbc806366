"""The program of the board: with keys from a script on MicroPython, and on the emulated Pico."""

from __future__ import annotations

import ast
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path

import drive
import pytest

from tinytrain.build import build
from tinytrain.compilation import Options

TEXT = "It is a far, far better thing that I do"

SCRIPT = """
import asyncio, binascii, keyboard, keys, lessons, os, sys
class Script:
    def __init__(self, pressed): self.pressed = list(pressed)
    async def get(self):
        await asyncio.sleep_ms(2)
        if not self.pressed:
            while board.learner.waiting() or board.stale or board.forgetting:
                await asyncio.sleep_ms(2)
            return keys.QUIT
        key = self.pressed.pop(0)
        while key == keys.TAB and not board.completion: await asyncio.sleep_ms(2)
        return key
class Screen:
    text, suggested = "", []
    def echo(self, text): self.text += text
    def show(self, text): self.suggested.append(text)
def play(pressed):
    global board
    board = keyboard.Keyboard(Script(pressed), Screen())
    before = board.steps
    asyncio.run(board.run())
    crc = binascii.crc32(board.trainer.state)
    print(repr((before, board.steps, crc, board.screen.text, len(board.screen.suggested))))
"""

Answer = tuple[int, int, int, str, int]
Play = Callable[..., list[Answer]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from keyboard.rehearsal import MODEL, OPTIMIZER, SCHEME

    made = tmp_path_factory.mktemp("keyboard") / "build"
    build(MODEL, "unix", str(SCHEME), made, Options(optimizer=OPTIMIZER))
    return made


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """asyncio, which the bed's unix port does not have in it, as files of MicroPython's."""
    source = drive.cache_dir() / "micropython" / "extmod" / "asyncio"
    folder = tmp_path_factory.mktemp("library")
    shutil.copytree(source, folder / "asyncio", ignore=shutil.ignore_patterns("manifest.py"))
    return folder


@pytest.fixture
def play(run_on: Callable[..., drive.Result], folder: Path, library: Path, examples: Path) -> Play:
    from keyboard.rehearsal import SAMPLE

    board = examples / "keyboard" / "board"
    put = [*board.glob("*.py"), SAMPLE, folder / "tinytrain.mpy", folder / "model.ttw"]

    def run(*sessions: str, then: str = "") -> list[Answer]:
        script = SCRIPT + "".join(f"play({keys!r})\n" for keys in sessions) + then
        result = run_on("unix", script, put=put, romfs=library, timeout=120)
        assert (result.stderr, result.returncode) == ("", 0)
        return [ast.literal_eval(line) for line in result.stdout.splitlines()]

    return run


def state_after(typed: str) -> tuple[int, int]:
    """Steps and CRC-32 of the simulator's parameters."""
    from keyboard import text
    from keyboard.rehearsal import Integers, practise

    model = Integers.pretrained()
    steps = practise(model, text.codes(typed), (), lambda n: None)
    return steps, zlib.crc32(model.trainer.state)


def test_learns_as_the_simulator_saves_and_forgets(play: Play) -> None:
    listing = "print(sorted(n for n in os.listdir() if n.startswith('keyboard.tts')))\n"
    steps, crc = state_after(TEXT)
    first, again, forgotten, files = play(TEXT, "", "\x12", then=listing)
    assert first[:4] == (0, steps, crc, TEXT)
    assert again[:4] == (steps, steps, crc, "")
    assert forgotten[0] == steps and forgotten[1] == 0
    assert forgotten[2] == state_after("")[1] != crc
    assert files == []
    assert first[4] > 10


def test_completes_words_and_takes_back(play: Play) -> None:
    completed, corrected = play("the th\t", "\x12teh\x08\x08he quick brown fox")
    assert completed[3].startswith("the th") and completed[3][6:].isalpha()
    steps, crc = state_after("the quick brown fox")
    assert corrected[1:4] == (steps, crc, "teh\b \b\b \bhe quick brown fox")


def test_what_is_typed_is_in_no_file(play: Play) -> None:
    look = f"""
def within(form):
    for name in os.listdir():
        with open(name, "rb") as file:
            if not name.endswith(".py") and form in file.read():
                return True
    return False
codes = bytes(keyboard.keyrows.code_of(c) for c in {TEXT!r})
memory = board.learner.memory
print((within(codes[:20]), within({TEXT!r}[:20].encode()), codes in bytes(memory.codes)))
board.learner.forget()
print(codes[:8] in bytes(memory.codes))
with open("kept", "wb") as file: file.write(codes)
print(within(codes[:20]))
"""
    _, found, after_reset, planted = play(TEXT, then=look)
    assert found == (False, False, True)
    assert (after_reset, planted) == (False, True)


@pytest.mark.slow
@pytest.mark.parametrize("board", ["pico"], indirect=True)
@pytest.mark.usefixtures("board", "english")
def test_on_the_emulated_pico(tmp_path: Path) -> None:
    """Echoes within 5 ms while it learns, the simulator's bits, power off and on, forgetting."""
    from keyboard.on_pico import run

    assert run(tmp_path, "startrek", 20, seed=1)
