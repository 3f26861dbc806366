"""The command `tinytrain`; commands/ has the subcommands."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from tinytrain.commands import board, machine, model, plan, simulate
from tinytrain.errors import TinyTrainError

PARTS = (model, plan, simulate, board, machine)  # in the order of `tinytrain --help`


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status: 0, or 2 after an error that was explained."""
    arguments = _parser().parse_args(argv)
    try:
        arguments.run(arguments)
    except TinyTrainError as error:
        print(f"tinytrain: {error}", file=sys.stderr)
        return 2
    except OSError as error:  # a folder that cannot be written, a full disk
        print(f"tinytrain: {error.filename or ''}: {error.strerror or error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("tinytrain: interrupted", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tinytrain",
        description="Quantized models that learn on MicroPython boards.",
        epilog="Start with: tinytrain inspect MODEL, then tinytrain build MODEL --board rpi_pico",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for part in PARTS:
        part.add(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
