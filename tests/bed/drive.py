"""Emulated boards: run a script on one, or serve it to mpremote. A command, and an API for pytest.

result = drive.run("m0", "print(6 * 7)", put=[Path("net.mpy")])
with drive.serve("pico") as port:
    subprocess.run([sys.executable, "-m", "mpremote", "connect", port, "ls"])
"""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from emulation.counting import Mark
from emulation.emulators import Emulator, pico_command
from emulation.scripts import TIMED_OUT, Result, run
from emulation.serving import serve, served
from emulation.targets import BedError, Target, cache_dir, find, targets

__all__ = [
    "TIMED_OUT",
    "BedError",
    "Mark",
    "Result",
    "Target",
    "cache_dir",
    "find",
    "run",
    "serve",
    "targets",
]


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
