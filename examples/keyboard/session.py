"""The keyboard's program on an emulated Pico: typing at it, and what it answered, when."""

from __future__ import annotations

import re
import struct
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from mpremote.transport_serial import SerialTransport

from tinytrain.backend.romfs import make_image

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tests" / "bed"))

import drive  # noqa: E402

PROGRAM = ("keyrows.py", "lessons.py", "keys.py", "keyboard.py")
START = "import keyboard; k = keyboard.main()\n"
STATE = "import binascii; print(binascii.crc32(k.trainer.state), k.steps, k.learner.left_out)"
FILES = "import os; print(*os.listdir())"
QUIT, RESET = "\x18", "\x12"
STATUS = re.compile(rb"\x1b7\x1b\[1;1H\x1b\[2K\[(.*?)\] (\w*)\x1b8", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Ended:
    """What there is after Ctrl-X: CRC-32 of the parameters, steps, characters left out, files."""

    crc: int
    steps: int
    left_out: int
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Key:
    """A key as seen from outside; emulated milliseconds."""

    character: str
    pressed: float
    echo: float  # until it was there
    suggested: float | None  # until suggestions were there


@dataclass(slots=True)
class SerialLog:
    """What pico.mjs writes with --serial, read as it grows."""

    path: Path
    at: int = 0
    sent: list[tuple[float, bytes]] = field(default_factory=list)
    answered: list[tuple[float, bytes]] = field(default_factory=list)

    def read(self) -> None:
        """Take what is new."""
        data = self.path.read_bytes()[self.at :]
        place = 0
        while place + 13 <= len(data):
            kind, nanos, size = struct.unpack_from("<cdI", data, place)
            piece = data[place + 13 : place + 13 + size]
            if len(piece) < size:
                break
            (self.sent if kind == b"I" else self.answered).append((nanos / 1e6, piece))
            place += 13 + size
        self.at += place


class Session:
    """A running program."""

    def __init__(self, port: str, log: SerialLog) -> None:
        self.board = SerialTransport(port, 115200)
        self.log = log
        self.board.enter_raw_repl(soft_reset=False)
        self.board.exec_raw_no_follow(START)
        self.await_status(0, 120)
        self.log.read()
        self.keys_from, self.answers_from = len(self.log.sent), len(self.log.answered)
        self.typed = ""

    def press(self, key: str) -> None:
        """One key."""
        self.typed += key
        self.board.serial.write(key.encode())

    def statuses(self) -> list[tuple[str, str]]:
        """All suggestions so far: the three likeliest characters, the rest of the word."""
        self.log.read()
        answer = b"".join(piece for _, piece in self.log.answered)
        return [(a.decode(), b.decode()) for a, b in STATUS.findall(answer)]

    def await_status(self, more_than: int, timeout: float) -> None:
        """Until there are more suggestions than that."""
        end = time.monotonic() + timeout
        while len(self.statuses()) <= more_than:
            if time.monotonic() > end:
                said = b"".join(piece for _, piece in self.log.answered)[-500:]
                raise RuntimeError(f"the keyboard does not answer: {said!r}")
            time.sleep(0.05)

    def keys(self) -> list[Key]:
        """All keys that were echoed, in order."""
        self.log.read()
        stream = [
            (at, piece[i : i + 1])
            for at, piece in self.log.answered[self.answers_from :]
            for i in range(len(piece))
        ]
        answer = b"".join(byte for _, byte in stream)
        shown = [match.span() for match in STATUS.finditer(answer)]
        hidden = {i for first, end in shown for i in range(first, end)}
        echoes = [i for i in range(len(answer)) if i not in hidden and answer[i] != 0x0A]
        pressed = [
            (at, chr(code)) for at, piece in self.log.sent[self.keys_from :] for code in piece
        ]
        result = []
        for (at, key), i in zip(pressed, echoes, strict=False):
            if chr(answer[i]).replace("\r", "\n") != key:
                break
            later = (stream[end - 1][0] for first, end in shown if first > i)
            done = next(later, None)
            result.append(Key(key, at, stream[i][0] - at, None if done is None else done - at))
        return result

    def reset(self) -> None:
        """Ctrl-R: it forgets, and suggests what it did when it was new."""
        seen = len(self.statuses())
        self.board.serial.write(RESET.encode())
        self.await_status(seen, 60)

    def end(self, timeout: float = 600) -> Ended:
        """Ctrl-X: it learns what is waiting, saves, and ends."""
        self.board.serial.write(QUIT.encode())
        self.board.follow(timeout)
        crc, steps, left_out = self.board.exec(STATE).split()
        files = self.board.exec(FILES).decode().split()
        return Ended(int(crc), int(steps), int(left_out), tuple(files))


@contextmanager
def running(build: Path, sample: Path, folder: Path, flash: Path) -> Iterator[Session]:
    """The program on a Pico whose flash is kept in a file."""
    rom, log = folder / "rom.img", folder / "serial.bin"
    files = [build / "model.ttw", build / "tinytrain.mpy", sample]
    files += [HERE / "board" / name for name in PROGRAM]
    rom.write_bytes(make_image({file.name: file.read_bytes() for file in files}))
    log.unlink(missing_ok=True)
    with drive.serve("pico", romfs=rom, flash=flash, serial=log) as port:
        session = Session(port, SerialLog(log))
        try:
            yield session
        finally:
            session.board.close()
