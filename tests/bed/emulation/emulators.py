"""Command lines of the emulators, and a running one with a REPL to connect to."""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import threading
import time
import tty
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from mpremote.romfs import make_romfs
from mpremote.transport_serial import SerialTransport

from emulation.counting import qemu_plugin
from emulation.targets import BED, BedError, Target, cache_dir

Sink = Callable[[bytes], None]
QUIET = threading.Lock()  # standard output is redirected for all threads


def qemu_command(target: Target, rom: Path | None, counts: Path | None) -> list[str]:
    """QEMU's command line; it prints the pseudo terminal on which the board's UART is."""
    command = [f"qemu-system-{target.qemu}", *target.machine, "-nographic", "-monitor", "none"]
    command += ["-semihosting", "-serial", "pty", "-kernel", str(target.out / "firmware.elf")]
    if rom:
        command += ["-device", f"loader,file={rom},addr={target.romfs.split(':')[0]},force-raw=on"]
    return command + (qemu_plugin(target, counts) if counts else [])


def xtensa_command(target: Target, rom: Path | None, counts: Path | None) -> list[str]:
    """QEMU in user mode; a script may follow, else the REPL is on stdin and stdout."""
    command = ["qemu-xtensa", *target.machine]
    if counts:
        command += qemu_plugin(target, counts)
    command += [str(target.out / "micropython")]
    return command + (["--rom", str(rom)] if rom else [])


def pico_command(
    target: Target, rom: Path | None, *options: str, firmware: Path | None = None
) -> list[str]:
    """The Pico's command line; it prints the socket on which its USB serial port is.

    firmware: another one than the target's, of the same flash layout.
    """
    node_modules = cache_dir() / "node" / "node_modules"
    command = ["node", str(BED / "pico" / "emu" / "pico.mjs")]
    command += ["--rp2040js", str(node_modules / "rp2040js")]
    command += ["--bootrom", str(target.out / "bootrom.bin"), "--native", target.native_range]
    if "--flash" not in options and (target.out / "flash.img").exists():
        command += ["--flash", str(target.out / "flash.img")]
    command += ["--load", f"0x0:{firmware or target.out / 'firmware.bin'}"]
    if rom:
        command += ["--load", f"{target.romfs.split(':')[0]}:{rom}"]
    return [*command, *options]


class Emulator:
    """A running emulator and the address of its REPL.

    folder: given for a program whose REPL is on stdin and stdout: it runs there, and gets a pseudo
    terminal. Other emulators say where the REPL is.
    """

    def __init__(self, command: Sequence[str], log: Sink, *, folder: Path | None = None) -> None:
        self.terminal: int | None = None  # kept open, so that mpremote may come and go
        said = self._start_in(folder, command) if folder else self._start(command)
        threading.Thread(target=self._pass_on, args=[said, log], daemon=True).start()

    def _start(self, command: Sequence[str]) -> IO[bytes]:
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        assert self.process.stdout is not None
        said = b""
        for line in self.process.stdout:
            said += line
            if found := re.search(rb"/dev/pts/\d+|socket://\S+", line):
                self.address = found.group().decode()
                return self.process.stdout
        self.stop()
        raise BedError("the emulator did not start:\n" + said.decode(errors="replace"))

    def _start_in(self, folder: Path, command: Sequence[str]) -> IO[bytes]:
        board, self.terminal = os.openpty()
        tty.setraw(self.terminal)
        self.address = os.ttyname(self.terminal)
        self.process = subprocess.Popen(
            command, stdin=board, stdout=board, stderr=subprocess.PIPE, cwd=folder
        )
        os.close(board)
        assert self.process.stderr is not None
        return self.process.stderr

    def _pass_on(self, said: IO[bytes], log: Sink) -> None:
        """What the emulator says later, such as bus errors; not QEMU's word on being stopped."""
        for line in said:
            if b"terminating on signal" not in line:
                log(b"[emulator] " + line)

    def kill(self) -> None:
        self.process.kill()

    def stop(self) -> None:
        self.process.terminate()  # a SIGTERM lets it write its counts or its flash
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.terminal is not None:
            os.close(self.terminal)
            self.terminal = None

    def __enter__(self) -> Emulator:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def connect(self) -> SerialTransport:
        """Open the REPL. What is sent while the board starts is lost: ask until it answers."""
        board = SerialTransport(self.address, 115200, wait=5)
        while True:
            board.serial.write(b"\r\x03")
            seen, end = b"", time.monotonic() + 0.5
            while time.monotonic() < end:
                while board.serial.in_waiting:
                    seen += board.serial.read(1)
                if seen.endswith(b">>> "):
                    return board
                time.sleep(0.005)


def romfs_image(folder: Path, image: Path) -> Path:
    """A ROMFS image of the folder's files as they are (no compilation of .py), or a file's."""
    if folder.is_file():
        return folder
    if not folder.is_dir():
        raise BedError(f"{folder} is no folder")
    with QUIET, contextlib.redirect_stdout(io.StringIO()):  # it lists the files
        image.write_bytes(make_romfs(str(folder), mpy_cross=None))
    return image
