"""`tinytrain deploy`: what talks to a connected board."""

from __future__ import annotations

import argparse
from pathlib import Path

from tinytrain.commands.terminal import Commands, console


def add(commands: Commands[argparse.ArgumentParser]) -> None:
    """Add the command."""
    add = commands.add_parser("deploy", help="copy a build to a board and verify it there")
    add.add_argument("folder", type=Path, metavar="DIR", help="what `tinytrain build -o` wrote")
    add.add_argument("--port", default="auto", help="as for mpremote connect; default: auto")
    add.add_argument("--main", action="store_true", help="copy main.py too")
    add.set_defaults(run=_deploy)


def _deploy(arguments: argparse.Namespace) -> None:
    from tinytrain.backend.deploy import deploy

    deploy(
        arguments.folder,
        arguments.port,
        with_main=arguments.main,
        say=lambda text: console.print(text, markup=False, soft_wrap=True),
    )
