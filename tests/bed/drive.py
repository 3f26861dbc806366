"""Emulated boards: run a script on one, or serve it to mpremote. A command, and an API for pytest.

result = drive.run("m0", "print(6 * 7)", put=[Path("net.mpy")])
with drive.serve("pico") as port:
    subprocess.run([sys.executable, "-m", "mpremote", "connect", port, "ls"])
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from mpremote.romfs import make_romfs
from mpremote.transport import TransportError
from mpremote.transport_serial import SerialTransport
from serial import SerialException

HERE = Path(__file__).resolve().parent
TIMED_OUT = 124  # exit status, as of timeout(1)

Sink = Callable[[bytes], None]


class BedError(Exception):
    """The test bed cannot do what was asked: unknown target, not set up, emulator did not start."""


@dataclass(frozen=True, slots=True)
class Target:
    """One row of targets.txt."""

    name: str
    family: str
    arch: str
    qemu: str
    romfs: str
    native: str
    machine: tuple[str, ...]

    @property
    def out(self) -> Path:
        """Where bed.sh puts what it builds for this target."""
        return cache_dir() / "targets" / self.name

    @property
    def ready(self) -> bool:
        return (self.out / "ready").exists()


@dataclass(frozen=True, slots=True)
class Result:
    """What a script did.

    returncode: 0, 1 if it raised (stderr then has the traceback), 124 if it took too long.
    """

    stdout: str
    stderr: str
    returncode: int
    counts: dict[str, int]


def cache_dir() -> Path:
    """The folder outside the tree for everything downloaded and built; bed.sh has the same rule."""
    if own := os.environ.get("TINYTRAIN_CACHE"):
        return Path(own).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").absolute() / "tinytrain"


def targets() -> dict[str, Target]:
    """The table of targets, by name."""
    table = {}
    for line in (HERE / "targets.txt").read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            name, family, arch, _, qemu, romfs, native, machine = line.split(maxsplit=7)
            table[name] = Target(name, family, arch, qemu, romfs, native, tuple(machine.split()))
    return table


def find(name: str) -> Target:
    """The target of that name, which must have been set up."""
    known = targets()
    if name not in known:
        raise BedError(f"unknown target '{name}' (known: {' '.join(known)})")
    if not known[name].ready:
        raise BedError(f"target {name} is not set up: run 'tests/bed/bed.sh setup {name}'")
    return known[name]


# --- emulators ------------------------------------------------------------------------------------


def qemu_command(target: Target, rom: Path | None, counts: Path | None) -> list[str]:
    """QEMU's command line; it prints the pseudo terminal on which the board's UART is."""
    command = [
        f"qemu-system-{target.qemu}",
        *target.machine,
        "-nographic",
        "-monitor",
        "none",
        "-semihosting",
    ]
    command += ["-serial", "pty", "-kernel", str(target.out / "firmware.elf")]
    if rom:
        command += ["-device", f"loader,file={rom},addr={target.romfs.split(':')[0]},force-raw=on"]
    if counts:
        low, high = target.native.split(":")
        command += ["-plugin", f"{cache_dir()}/nativecount.so,lo={low},hi={high},out={counts}"]
    return command


def pico_command(target: Target, rom: Path | None, *options: str) -> list[str]:
    """The Pico's command line; it prints the socket on which its USB serial port is."""
    node_modules = cache_dir() / "node" / "node_modules"
    command = [
        "node",
        str(HERE / "pico" / "emu" / "pico.mjs"),
        "--rp2040js",
        str(node_modules / "rp2040js"),
    ]
    command += [
        "--bootrom",
        str(target.out / "bootrom.bin"),
        "--native",
        (target.out / "heap").read_text().strip(),
    ]
    if "--flash" not in options and (target.out / "flash.img").exists():
        command += ["--flash", str(target.out / "flash.img")]
    command += ["--load", f"0x0:{target.out / 'firmware.bin'}"]
    if rom:
        command += ["--load", f"{target.romfs.split(':')[0]}:{rom}"]
    return [*command, *options]


class Emulator:
    """A running emulator and the address of its REPL."""

    def __init__(self, command: Sequence[str], log: Sink) -> None:
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        assert self.process.stdout is not None
        said = b""
        for line in self.process.stdout:
            said += line
            if found := re.search(rb"/dev/pts/\d+|socket://\S+", line):
                self.address = found.group().decode()
                break
        else:
            self.stop()
            raise BedError("the emulator did not start:\n" + said.decode(errors="replace"))
        threading.Thread(target=self._pass_on, args=[log], daemon=True).start()

    def _pass_on(self, log: Sink) -> None:
        """What the emulator says later, such as bus errors; not QEMU's word on being stopped."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
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


# --- running a script -----------------------------------------------------------------------------

# The Pico's counters, at an address where silicon has nothing: see pico/emu/harness-page.mjs
PICO_CLEAR = "import machine; machine.mem32[0x4f000000] = 1"
PICO_READ = (
    "import machine; print([machine.mem32[0x4f000000 + 4 * i] & 0xffffffff for i in range(6)])"
)
PICO_COUNTS = ("native_cycles", "native_insns", "stack", "cycles", "flash_erases", "flash_programs")

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
    on_stdout: Sink
    on_stderr: Sink
    counts: dict[str, int]


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
    """In a directory of its own, with the files in it."""
    here = job.tmp / "cwd"
    here.mkdir()
    for file in job.put:
        shutil.copy(file, here)
    script, main = job.tmp / "script.py", job.tmp / "main.py"
    script.write_bytes(job.source)
    main.write_text(UNIX_MAIN.format(rom=str(job.rom or ""), script=str(script), name=job.name))
    command = [str(job.target.out / "micropython"), str(main)]
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
    counts = job.tmp / "counts"
    status = run_serial(job, qemu_command(job.target, job.rom, counts if job.count else None))
    if counts.exists():  # written when QEMU ends
        for item in counts.read_text().split():
            key, _, value = item.partition("=")
            job.counts[key] = int(value)
    return status


def run_pico(job: Job) -> int:
    size = int(job.target.romfs.split(":")[1], 0)
    if job.rom and job.rom.stat().st_size > size:
        raise BedError(f"the ROMFS image does not fit the {size} bytes of {job.target.name}")
    options = ["--turbo"] if job.xip is None else ["--turbo", "--xip", str(job.xip)]
    return run_serial(job, pico_command(job.target, job.rom, *options), PICO_CLEAR, PICO_READ)


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
        numbers = re.findall(rb"\d+", board.exec_raw(after)[0])
        job.counts.update(zip(PICO_COUNTS, map(int, numbers), strict=True))
    board.close()
    return 1 if traceback else 0


RUN_FAMILY: dict[str, Callable[[Job], int]] = {"unix": run_unix, "qemu": run_qemu, "pico": run_pico}


def romfs_image(folder: Path, image: Path) -> Path:
    """A ROMFS image of the folder's files as they are (no compilation of .py)."""
    if not folder.is_dir():
        raise BedError(f"{folder} is no folder")
    with contextlib.redirect_stdout(io.StringIO()):  # it lists the files
        image.write_bytes(make_romfs(str(folder), mpy_cross=None))
    return image


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
    on_stdout: Sink = lambda data: None,
    on_stderr: Sink = lambda data: None,
) -> Result:
    """Run a script (a Path, or its text) on a fresh board.

    put: files that will lie in the script's current directory.
    romfs: a folder to be mounted on /rom, which is in sys.path.
    count: fill Result.counts (nothing on unix).
    xip: cycles that a flash cache miss costs on the Pico (the cache is not modelled if None).
    on_stdout, on_stderr: called with pieces of the output as they come.
    """
    row = find(target)
    for file in put:
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
        job = Job(row, source, name, put, rom, Path(tmp), timeout, count, xip, out, err, {})
        status = RUN_FAMILY[row.family](job)
    return Result(
        stdout.decode(errors="replace"), stderr.decode(errors="replace"), status, job.counts
    )


# --- serving a board ------------------------------------------------------------------------------


@contextlib.contextmanager
def served(
    row: Target, romfs: Path | None, flash: Path | None, log: Sink, journal: Path | None = None
) -> Iterator[Emulator]:
    with tempfile.TemporaryDirectory() as tmp:
        rom = romfs_image(romfs, Path(tmp, "rom.img")) if romfs else None
        if row.family == "qemu":
            command = qemu_command(row, rom, None)
        elif row.family == "pico":
            options = ["--save", str(flash)] if flash else []
            if flash and flash.exists():
                options += ["--flash", str(flash)]
            options += ["--journal", str(journal)] if journal else []
            command = pico_command(row, rom, *options)
        else:
            raise BedError(f"{row.name} has no serial port to serve: use run")
        with Emulator(command, log) as emulator:
            emulator.connect().close()
            yield emulator


@contextlib.contextmanager
def serve(
    target: str,
    *,
    romfs: Path | None = None,
    flash: Path | None = None,
    journal: Path | None = None,
) -> Iterator[str]:
    """A board that a stock 'mpremote connect PORT' can use; its prompt has answered. Gives PORT.

    flash: a file that keeps the Pico's flash from one session to the next.
    journal: a file to which the Pico's flash operations are appended (pico/emu/pico.mjs).
    """
    with served(find(target), romfs, flash, lambda data: None, journal) as emulator:
        yield emulator.address


# --- the command ----------------------------------------------------------------------------------


def to_stdout(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def to_stderr(data: bytes) -> None:
    sys.stderr.buffer.write(data)
    sys.stderr.buffer.flush()


def run_command(args: argparse.Namespace) -> int:
    result = run(
        args.target,
        args.script,
        put=args.put,
        romfs=args.romfs,
        timeout=args.timeout,
        count=args.command == "count",
        xip=args.xip,
        on_stdout=to_stdout,
        on_stderr=to_stderr,
    )
    if args.command == "count":
        print("count", *(f"{key}={value}" for key, value in result.counts.items()), file=sys.stderr)
    return result.returncode


def serve_command(args: argparse.Namespace) -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with (
        contextlib.suppress(KeyboardInterrupt),
        served(find(args.target), args.romfs, args.flash, to_stderr) as board,
    ):
        print("mpremote connect " + board.address, flush=True)
        return board.process.wait()
    return 0


def format_command(args: argparse.Namespace) -> int:
    """Start a Pico on an empty flash: its firmware makes a file system; keep it as flash.img."""
    row = targets()[args.target]
    with Emulator(
        pico_command(row, None, "--turbo", "--save", str(row.out / "flash.img")), to_stderr
    ) as emulator:
        board = emulator.connect()
        board.enter_raw_repl(soft_reset=False)
        print(board.exec("import os; print(os.statvfs('/'))").decode())
        board.close()
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="drive.py", description="Emulated MicroPython boards.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (
        ("run", "run a script on a fresh board"),
        ("count", "the same, and print counts"),
    ):
        p = commands.add_parser(name, help=text)
        p.add_argument("target")
        p.add_argument("script", type=Path)
        p.add_argument(
            "--put", type=Path, nargs="+", default=[], help="files for the script's directory"
        )
        p.add_argument("--romfs", type=Path, help="folder to be mounted on /rom")
        p.add_argument("--timeout", type=float, default=300.0, help="seconds")
        p.add_argument(
            "--xip",
            type=int,
            help="pico: model the flash cache, with this cost of a miss in cycles",
        )
        p.set_defaults(call=run_command)
    p = commands.add_parser("serve", help="serve a board to mpremote until killed")
    p.add_argument("target")
    p.add_argument("--romfs", type=Path, help="folder to be mounted on /rom")
    p.add_argument("--flash", type=Path, help="pico: file that keeps the flash between sessions")
    p.set_defaults(call=serve_command)
    p = commands.add_parser(
        "format", help="pico: make the flash image that runs start from (part of set-up)"
    )
    p.add_argument("target")
    p.set_defaults(call=format_command)
    args = parser.parse_args(argv)
    try:
        status: int = args.call(args)
    except BedError as error:
        print(f"bed: {error}", file=sys.stderr)
        status = 2
    return status


if __name__ == "__main__":
    sys.exit(main())
