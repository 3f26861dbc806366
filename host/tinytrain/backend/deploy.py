"""Copy a build to a board through mpremote, and verify there that it computes the host's bits."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import serial
from mpremote.transport import TransportError
from mpremote.transport_serial import SerialTransport
from serial.tools import list_ports

from tinytrain.backend.board import boards_with
from tinytrain.backend.mpy_file import MpyTag
from tinytrain.backend.selftest import SelfTest
from tinytrain.errors import BoardError
from tinytrain.resources import mpy_module_dir

Say = Callable[[str], None]
Progress = Callable[[str, int, int], None]  # what, bytes done, bytes in all

FILES = ("tinytrain.mpy", "model.ttw")
STEP_SECONDS = 600  # a large model's step on a slow board
PART_BYTES = 192  # of the input, per line sent


@dataclass(frozen=True, slots=True)
class Deployment:
    """What was found and done: the board's own words on itself and on the Trainer, the heap that
    the self-test left free, and how many steps were compared."""

    machine: str
    trainer: str
    heap_free: int
    steps: int


class _Board:
    """A board in raw REPL mode, whose exceptions become BoardError."""

    def __init__(self, transport: SerialTransport) -> None:
        self.transport = transport

    def run(self, code: str, doing: str, seconds: float = 60) -> str:
        output, error = self.transport.exec_raw(code, timeout=seconds)
        if error:
            reason = error.decode(errors="replace").strip().splitlines()[-1]
            raise BoardError(f"{doing} failed on the board: {reason}")
        return str(output.decode(errors="replace")).strip()


def deploy(
    build_dir: Path,
    port: str | None = None,
    *,
    with_main: bool = False,
    say: Say = lambda text: None,
    progress: Progress = lambda what, done, total: None,
) -> Deployment:
    """Copy tinytrain.mpy and model.ttw (and main.py, if asked) to the board's current folder, run
    the self-test, and compare. port: as for mpremote connect; None or "auto": the first USB port.
    """
    files = [*FILES, *(["main.py"] if with_main else [])]
    contents = {name: _read(build_dir / name) for name in files}
    test = SelfTest.from_json(_read(build_dir / "selftest.json").decode(errors="replace"))
    with _connect(port) as board:
        machine = _check_board(board, contents["tinytrain.mpy"])
        say(f"board: {machine}")
        for name, data in contents.items():
            _copy(board, name, data, progress)
            say(f"copied {name}, {len(data):,} bytes")
        board.transport.enter_raw_repl(soft_reset=True)  # nothing of an older module remains
        trainer, free = _verify(board, test)
        say(f"self-test: {trainer}")
        say(
            f"self-test: output, {len(test.losses)} losses and all {test.state_bytes:,} bytes of "
            f"state are equal to the host's, bit for bit; {free:,} bytes of heap left"
        )
        if with_main:
            say("main.py starts with the board's next reset")
    return Deployment(machine, trainer, free, len(test.losses))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BoardError(f"{path} is missing: run `tinytrain build -o {path.parent}`") from error


@contextmanager
def _connect(port: str | None) -> Iterator[_Board]:
    device = _find_port(port)
    try:
        transport = SerialTransport(device, baudrate=115200)
    except TransportError as error:
        raise BoardError(
            f"cannot open {device}: {error}; is another program using the port?"
        ) from error
    try:
        transport.enter_raw_repl(soft_reset=True)
        yield _Board(transport)
        transport.exit_raw_repl()
    except (TransportError, serial.SerialException, OSError) as error:
        raise BoardError(f"lost the board at {device}: {error}; reset it and try again") from error
    finally:
        transport.close()


def _find_port(port: str | None) -> str:
    if port not in (None, "auto"):
        return str(port).removeprefix("port:")
    found = [p.device for p in sorted(list_ports.comports()) if p.vid is not None]
    if not found:
        raise BoardError("no board on any USB port: connect one, or name its port with --port")
    return str(found[0])


def _check_board(board: _Board, module: bytes) -> str:
    """The board's description; BoardError if it cannot load the module."""
    lines = board.run(
        "import sys\nprint(getattr(sys.implementation, '_mpy', 0))\n"
        "print(getattr(sys.implementation, '_machine', sys.platform))\n"
        "print('.'.join(str(n) for n in sys.implementation.version[:3]))",
        "asking for the version",
    ).splitlines()
    tag, needed = MpyTag.of_board(int(lines[0])), MpyTag.of_file(module)
    machine = f"{lines[1]}, MicroPython {lines[2]}, {tag.name}"
    if tag.loads(needed):
        return machine
    if tag.architecture == 0:
        raise BoardError(f"{machine}: this firmware loads no native modules; install a stock one")
    if (tag.version, tag.sub_version) != (needed.version, needed.sub_version):
        raise BoardError(
            f"{machine}: loads .mpy version {tag.version}.{tag.sub_version}, tinytrain.mpy has "
            f"{needed.version}.{needed.sub_version}; install MicroPython 1.24 or later"
        )
    fitting = " or ".join(boards_with(tag.name)) or f"a board file with target {tag.name}"
    raise BoardError(
        f"{machine}: the board is {tag.name}, tinytrain.mpy is for {needed.name}; "
        f"build again with --board {fitting}"
    )


def _copy(board: _Board, name: str, data: bytes, progress: Progress) -> None:
    progress(name, 0, len(data))
    try:
        board.transport.fs_writefile(
            name,
            data,
            chunk_size=1024,
            progress_callback=lambda done, total: progress(name, done, total),
        )
    except OSError as error:
        raise BoardError(
            f"{name} ({len(data):,} bytes) could not be written: {error}; is the board's file "
            "system full?"
        ) from error


def _verify(board: _Board, test: SelfTest) -> tuple[str, int]:
    """What the board says of its Trainer, and its free heap."""
    script = (mpy_module_dir() / "selftest.py").read_text(encoding="utf-8")
    board.run(script, "import of tinytrain")
    *trainer, free = board.run("make()", "tinytrain.Trainer('model.ttw')").splitlines()
    _send(board, "x", test.x)
    if test.target:
        board.run(f"y = bytearray({len(test.target)})", "making a target")
        _send(board, "y", test.target)
    output = bytes.fromhex(board.run("predict()", "predict", STEP_SECONDS))
    _compare("predict()", output.hex(" "), test.output.hex(" "))
    board.run(f"trainer.lr = {test.lr!r}", "setting lr")
    for number, (label, expected) in enumerate(zip(test.labels, test.losses, strict=True), 1):
        bits = board.run(f"step({'y' if test.target else label})", f"step {number}", STEP_SECONDS)
        _compare(f"the loss of step {number}", f"{int(bits):08x}", f"{expected:08x}")
    length, crc = map(int, board.run("state()", "reading the state", STEP_SECONDS).split())
    expected_state = f"{test.state_bytes} bytes, CRC {test.state_crc:08x}"
    _compare("the state", f"{length} bytes, CRC {crc:08x}", expected_state)
    board.run("end()", "deinit")
    return " ".join(trainer), int(free)


def _send(board: _Board, name: str, data: bytes) -> None:
    """Fill a bytearray on the board."""
    for at in range(0, len(data), PART_BYTES):
        part = base64.b64encode(data[at : at + PART_BYTES]).decode()
        board.run(f"put({name}, {at}, '{part}')", "sending the input")


def _compare(what: str, got: str, expected: str) -> None:
    if got != expected:
        raise BoardError(
            f"self-test: {what} differs: the board has {got[:100]}, the host {expected[:100]}; "
            "deploy the build again, and if it stays so, report it as a bug"
        )
