"""`tinytrain inspect` and `tinytrain build`: from a model file to a build folder."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from tinytrain.commands.model_options import add_options, options_of
from tinytrain.commands.terminal import Commands, bar, console, size


def add(commands: Commands[argparse.ArgumentParser]) -> None:
    """Add both commands."""
    add = commands.add_parser("inspect", help="show what a model consists of")
    add.add_argument("model", type=Path, metavar="MODEL", help="full-int8 .tflite file")
    add.set_defaults(run=_inspect)
    _add_build(commands)


def _add_build(commands: Commands[argparse.ArgumentParser]) -> None:
    add = commands.add_parser(
        "build",
        help="compile a model into a native module for a board",
        formatter_class=argparse.RawTextHelpFormatter,
    )
    add.add_argument("model", type=Path, metavar="MODEL", help="full-int8 .tflite file")
    add.add_argument("--board", required=True, help="such as rpi_pico or unix, or a .toml file")
    add_options(add)
    add.add_argument("--ram", type=size, metavar="SIZE",
                     help="refuse if arena and state take more, such as 96K")  # fmt: skip
    add.add_argument("--toolchain", choices=("gnu", "zig"), default="gnu",
                     help="zig: the compiler of `pip install ziglang`; default: gnu")  # fmt: skip
    add.add_argument("--user-c-module", action="store_true",
                     help="write usermod/ too, sources to build a firmware with")  # fmt: skip
    add.add_argument("-o", dest="folder", type=Path, default=Path("build"), metavar="DIR",
                     help="where to write; default: build")  # fmt: skip
    add.set_defaults(run=_build)


def _inspect(arguments: argparse.Namespace) -> None:
    from tinytrain.importers import load
    from tinytrain.inspection import render

    table = render(load(arguments.model))
    (console if console.is_terminal else Console(width=160)).print(table)


def _build(arguments: argparse.Namespace) -> None:
    from tinytrain.build import build

    with bar("reading and planning") as progress:
        task = progress.task_ids[0]

        def show(what: str, done: int, total: int) -> None:
            progress.update(task, description=what, completed=done, total=total)

        result = build(
            arguments.model,
            arguments.board,
            arguments.update,
            arguments.folder,
            options_of(arguments),
            ram=arguments.ram,
            user_c_module=arguments.user_c_module,
            toolchain=arguments.toolchain,
            progress=show,
        )
    console.print(result.report.text(), end="", markup=False)
    names = ", ".join(sorted(p.name for p in result.folder.iterdir() if p.is_file()))
    console.print(f"\nWritten to {arguments.folder}: {names}", markup=False, soft_wrap=True)
    for name in result.kept:
        console.print(f"Kept {name}, which has been edited; delete it to get the new one")
