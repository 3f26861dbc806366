"""Running a script on a fresh board, through the raw REPL or as a program of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from mpremote.transport import TransportError
from mpremote.transport_serial import SerialTransport
from serial import SerialException

from emulation.counting import PICO_CLEAR, PICO_READ, Mark, pico_counts, read_counts
from emulation.emulators import (
    Emulator,
    Sink,
    pico_command,
    qemu_command,
    romfs_image,
    xtensa_command,
)
from emulation.targets import BedError, Target, find

TIMED_OUT = 124  # exit status, as of timeout(1)


@dataclass(frozen=True, slots=True)
class Result:
    """What a script did.

    returncode: 0, 1 if it raised (stderr then has the traceback), 124 if it took too long.
    """

    stdout: str
    stderr: str
    returncode: int
    counts: dict[str, int]
    marks: list[Mark]


# The unix port has no raw REPL: these lines run the script as the boards would, with /rom mounted
UNIX_MAIN = """\
import sys
sys.path[:] = ["", ".frozen"]
def boot(rom):
    import vfs
    vfs.mount(vfs.VfsRom(open(rom, "rb").read()), "/rom")
    sys.path.extend(("/rom", "/rom/lib"))
if {rom!r}: boot({rom!r})
del boot
exec(compile(open({script!r}).read(), {name!r}, "exec"))
"""


@dataclass(slots=True)
class Job:
    """A script on its way to a board: what it needs, and what comes of it."""

    target: Target
    source: bytes
    name: str
    put: Sequence[Path]
    rom: Path | None
    tmp: Path
    timeout: float
    count: bool
    xip: int | None
    firmware: Path | None
    on_stdout: Sink
    on_stderr: Sink
    counts: dict[str, int]
    marks: list[Mark]

    @property
    def counts_file(self) -> Path | None:
        """Where the emulator is to write counts and marks."""
        return self.tmp / "counts" if self.count else None

    def read_counts_file(self) -> None:
        """Take what it has written."""
        if self.counts_file:
            counts, self.marks[:] = read_counts(self.counts_file)
            self.counts.update(counts)


class BoardText:
    """Turns the REPL's \\r\\n into \\n again (a piece may end between them), drops its end mark."""

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self.held = b""

    def __call__(self, data: bytes) -> None:
        data = (self.held + data).replace(b"\x04", b"")
        self.held = b"\r" if data.endswith(b"\r") else b""
        self.sink(data[: len(data) - len(self.held)].replace(b"\r\n", b"\n"))

    def end(self) -> None:
        self.sink(self.held)


def pass_on(stream: IO[bytes], sink: Sink) -> None:
    """Give the sink each piece of a pipe as it comes."""
    while data := os.read(stream.fileno(), 65536):
        sink(data)


def run_unix(job: Job) -> int:
    script, main = job.tmp / "script.py", job.tmp / "main.py"
    script.write_bytes(job.source)
    main.write_text(UNIX_MAIN.format(rom=str(job.rom or ""), script=str(script), name=job.name))
    return run_program(job, [str(job.firmware or job.target.out / "micropython"), str(main)])


def run_xtensa(job: Job) -> int:
    script = job.tmp / "script.py"
    script.write_bytes(job.source)
    status = run_program(job, [*xtensa_command(job.target, job.rom, job.counts_file), str(script)])
    job.read_counts_file()
    return status


def run_program(job: Job, command: Sequence[str]) -> int:
    """In a directory of its own, with the files in it."""
    here = job.tmp / "cwd"
    here.mkdir()
    for file in job.put:
        shutil.copy(file, here)
    with subprocess.Popen(
        command, cwd=here, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        pumps = [
            threading.Thread(target=pass_on, args=[process.stdout, job.on_stdout]),
            threading.Thread(target=pass_on, args=[process.stderr, job.on_stderr]),
        ]
        for thread in pumps:
            thread.start()
        try:
            return process.wait(job.timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            return TIMED_OUT
        finally:
            for thread in pumps:
                thread.join()


def run_qemu(job: Job) -> int:
    status = run_serial(job, qemu_command(job.target, job.rom, job.counts_file))
    job.read_counts_file()
    return status


def run_pico(job: Job) -> int:
    size = int(job.target.romfs.split(":")[1], 0)
    if job.rom and job.rom.stat().st_size > size:
        raise BedError(f"the ROMFS image does not fit the {size} bytes of {job.target.name}")
    options = ["--turbo"] if job.xip is None else ["--turbo", "--xip", str(job.xip)]
    if job.counts_file:
        options += ["--marks", str(job.counts_file)]
    command = pico_command(job.target, job.rom, *options, firmware=job.firmware)
    status = run_serial(job, command, PICO_CLEAR, PICO_READ)
    job.read_counts_file()
    return status


def run_serial(job: Job, command: Sequence[str], before: str = "", after: str = "") -> int:
    """Through the raw REPL. Code before and after clears and reads the board's own counters."""
    with Emulator(command, job.on_stderr) as emulator:
        late = threading.Event()

        def too_late() -> None:
            late.set()
            emulator.kill()  # ends whatever read is waiting for it

        watchdog = threading.Timer(job.timeout, too_late)
        watchdog.start()
        try:
            return talk(job, emulator.connect(), before, after)
        except (OSError, SerialException, TransportError) as error:
            if not late.is_set():
                raise BedError(f"lost {job.target.name}: {error}") from error
            job.on_stderr(b"the script took longer than %g s\n" % job.timeout)
            return TIMED_OUT
        finally:
            watchdog.cancel()


def talk(job: Job, board: SerialTransport, before: str, after: str) -> int:
    board.enter_raw_repl(soft_reset=False, timeout_overall=30)
    for file in job.put:
        board.fs_writefile(file.name, file.read_bytes(), chunk_size=1024)
    if job.count and before:
        board.exec_raw(before)
    text = BoardText(job.on_stdout)
    _, traceback = board.exec_raw(job.source, timeout=None, data_consumer=text)
    text.end()
    job.on_stderr(traceback.replace(b"\r\n", b"\n"))
    if job.count and after:
        job.counts.update(pico_counts(board.exec_raw(after)[0]))
    board.close()
    return 1 if traceback else 0


RUN_FAMILY: dict[str, Callable[[Job], int]] = {
    "unix": run_unix,
    "qemu": run_qemu,
    "pico": run_pico,
    "xtensa": run_xtensa,
}
CHANGEABLE = ("unix", "pico")  # families whose boards run another firmware as well


def check_file(file: Path) -> None:
    if not file.is_file():
        raise BedError(f"no file {file}")


def run(
    target: str,
    script: Path | str,
    *,
    put: Sequence[Path] = (),
    romfs: Path | None = None,
    timeout: float = 300.0,
    count: bool = False,
    xip: int | None = None,
    firmware: Path | None = None,
    on_stdout: Sink = lambda data: None,
    on_stderr: Sink = lambda data: None,
) -> Result:
    """Run a script (a Path, or its text) on a fresh board.

    put: files that will lie in the script's current directory.
    romfs: a folder, or a ROMFS image, to be mounted on /rom, which is in sys.path.
    count: fill Result.counts and Result.marks (nothing on unix).
    xip: cycles that a flash cache miss costs on the Pico (the cache is not modelled if None).
    firmware: run this one instead of the target's (unix: the program; pico: firmware.bin).
    on_stdout, on_stderr: called with pieces of the output as they come.
    """
    row = find(target)
    if firmware and row.family not in CHANGEABLE:
        raise BedError(f"{target} runs no other firmware than its own")
    for file in [*put, *([firmware] if firmware else [])]:
        check_file(file)
    if isinstance(script, Path):
        check_file(script)
    stdout, stderr = bytearray(), bytearray()

    def tee(store: bytearray, sink: Sink) -> Sink:
        def both(data: bytes) -> None:
            store.extend(data)
            sink(data)

        return both

    with tempfile.TemporaryDirectory() as tmp:
        source, name = (
            (script.encode(), "<string>")
            if isinstance(script, str)
            else (script.read_bytes(), script.name)
        )
        rom = romfs_image(romfs, Path(tmp, "rom.img")) if romfs else None
        out, err = tee(stdout, on_stdout), tee(stderr, on_stderr)
        job = Job(
            row, source, name, put, rom, Path(tmp), timeout, count, xip, firmware, out, err, {}, []
        )
        status = RUN_FAMILY[row.family](job)
    return Result(
        stdout.decode(errors="replace"),
        stderr.decode(errors="replace"),
        status,
        job.counts,
        job.marks,
    )
