"""A connected board in raw REPL mode, through mpremote; its failures are BoardErrors."""

from __future__ import annotations

import base64
import binascii
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import serial
from mpremote.transport import TransportError
from mpremote.transport_serial import SerialTransport
from serial.tools import list_ports

from tinytrain.backend.board import boards_with
from tinytrain.backend.mpy_file import MpyTag
from tinytrain.errors import BoardError

Progress = Callable[[str, int, int], None]  # what, bytes done, bytes in all

ANSWER_SECONDS = 10  # until a board takes the next line of a script
PART_BYTES = 192  # sent or read per line
FILE_CHUNK_BYTES = 1024


def no_progress(what: str, done: int, total: int) -> None:
    """Tell nobody."""


class Board:
    """A board at a port. Every call ends: with an answer, or with a BoardError at its deadline."""

    def __init__(self, transport: SerialTransport, device: str) -> None:
        self.transport = transport
        self.device = device

    def run(self, code: str, doing: str, seconds: float = 60) -> str:
        """What a script prints, stripped; BoardError if it raises or takes longer than that."""
        end = time.monotonic() + seconds
        output = bytearray()

        def take(data: bytes) -> None:
            output.extend(data)
            if time.monotonic() > end:
                raise BoardError(f"{doing}: no end after {seconds:g} s; reset the board")

        self.transport.exec_raw_no_follow(code)
        try:
            _, error = self.transport.follow(seconds, take)
        except TransportError as silence:
            raise BoardError(
                f"{doing}: the board at {self.device} has not answered for {seconds:g} s; it may "
                "have crashed: reset it, build and deploy again"
            ) from silence
        if error:
            reason = error.decode(errors="replace").strip().splitlines()[-1]
            raise BoardError(f"{doing} failed on the board: {reason}")
        return bytes(output).rstrip(b"\x04").decode(errors="replace").strip()

    def restart(self) -> None:
        """Soft reset: nothing that was imported or mounted by hand remains."""
        self.transport.enter_raw_repl(soft_reset=True)

    def put(self, name: str, data: bytes) -> None:
        """Fill a writable buffer on the board, named there, with as many bytes."""
        self.run("import binascii", "import of binascii")
        for at in range(0, len(data), PART_BYTES):
            part = data[at : at + PART_BYTES]
            text = base64.b64encode(part).decode()
            code = f"{name}[{at}:{at + len(part)}] = binascii.a2b_base64('{text}')"
            self.run(code, f"sending {name}")

    def get(self, expression: str, size: int, progress: Progress = no_progress) -> bytes:
        """The first `size` bytes of a buffer on the board."""
        self.run(f"import binascii\n_v = memoryview({expression})", f"reading {expression}")
        data = bytearray()
        while len(data) < size:
            end = min(size, len(data) + 4 * PART_BYTES)
            text = self.run(
                f"print(str(binascii.b2a_base64(_v[{len(data)}:{end}]), 'ascii'))", "reading"
            )
            part = binascii.a2b_base64(text)
            if len(part) != end - len(data):
                raise BoardError(f"{expression}: only {len(data) + len(part)} of {size:,} bytes")
            data += part
            progress(expression, len(data), size)
        self.run("del _v", "reading")
        return bytes(data)

    def write_file(self, path: str, data: bytes, progress: Progress = no_progress) -> None:
        """Write a file on the board; its folder must exist."""
        progress(path, 0, len(data))
        try:
            self.transport.fs_writefile(
                path,
                data,
                chunk_size=FILE_CHUNK_BYTES,
                progress_callback=lambda done, total: progress(path, done, total),
            )
        except OSError as error:
            raise BoardError(
                f"{path} ({len(data):,} bytes) could not be written: {error}; is the board's file "
                "system full?"
            ) from error

    def exists(self, path: str) -> bool:
        """Whether the board has a file or folder of that name."""
        return bool(self.transport.fs_exists(path))

    def remove_file(self, path: str) -> None:
        """Delete a file of the board."""
        self.run(f"import os\nos.remove({path!r})", f"removing {path}")

    def read_file(self, path: str) -> bytes | None:
        """A file of the board; None if there is none of that name."""
        try:
            if not self.exists(path):
                return None
            return bytes(self.transport.fs_readfile(path, chunk_size=FILE_CHUNK_BYTES))
        except OSError as error:
            raise BoardError(f"{path} could not be read: {error}") from error


@contextmanager
def connect(port: str | None) -> Iterator[Board]:
    """A board after a soft reset. port: as for mpremote connect; None or "auto": the first USB
    port."""
    device = find_port(port)
    try:
        transport = SerialTransport(device, baudrate=115200)
    except TransportError as error:
        raise BoardError(
            f"cannot open {device}: {error}; is another program using the port?"
        ) from error
    try:
        transport.serial.timeout = ANSWER_SECONDS  # else a read waits for ever
        transport.enter_raw_repl(soft_reset=True)
        yield Board(transport, device)
    except (TransportError, serial.SerialException, struct.error, OSError) as error:
        raise BoardError(f"lost the board at {device}: {error}; reset it and try again") from error
    finally:
        with suppress(TransportError, serial.SerialException, OSError):
            transport.exit_raw_repl()
        transport.close()


def find_port(port: str | None) -> str:
    """The device to open."""
    if port not in (None, "auto"):
        return str(port).removeprefix("port:")
    found = [p.device for p in sorted(list_ports.comports()) if p.vid is not None]
    if not found:
        raise BoardError("no board on any USB port: connect one, or name its port with --port")
    return str(found[0])


def check_board(board: Board, module: bytes) -> str:
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
