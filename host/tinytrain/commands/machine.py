"""`tinytrain boards` and `tinytrain doctor`: what can be built for, and what is missing for it."""

from __future__ import annotations

import argparse

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from tinytrain.commands.terminal import Commands, console
from tinytrain.errors import BuildError


def add(commands: Commands[argparse.ArgumentParser]) -> None:
    """Add both commands."""
    add = commands.add_parser("boards", help="list the boards that can be built for")
    add.set_defaults(run=_boards)
    add = commands.add_parser("doctor", help="say what is missing, and what installs it")
    add.add_argument("--board", help="for this board only; default: for all targets")
    add.add_argument("--toolchain", choices=("gnu", "zig"), default="gnu", help="default: gnu")
    add.set_defaults(run=_doctor)


def _boards(arguments: argparse.Namespace) -> None:
    from tinytrain.backend.board import known_boards, load_board

    del arguments
    table = Table("name", "board", "target", box=SIMPLE_HEAD)
    for title in ("free heap", "flash", "clock"):
        table.add_column(title, justify="right")
    table.add_column("weights lie in")
    for name in known_boards():
        board = load_board(name)
        target = f"{board.target} ({board.core})" if board.core else board.target
        heap = f"{board.heap_bytes:,}"
        if board.sources.get("heap_bytes", "").startswith("estimate"):
            heap = f"~{heap}"
        flash = f"{board.flash_bytes // 1024:,} KB" if board.flash_bytes else "-"
        clock = f"{board.clock_hz // 1_000_000} MHz" if board.clock_hz else "-"
        table.add_row(name, board.title, target, heap, flash, clock, ", ".join(board.weights))
    _show(table)
    console.print("~: an estimate; each board's file says where its figures come from")


def _doctor(arguments: argparse.Namespace) -> None:
    """Exit status 0 if nothing is missing, else 2."""
    from tinytrain.backend.board import load_board
    from tinytrain.backend.doctor import examine

    board = load_board(arguments.board) if arguments.board else None
    findings = examine(board, arguments.toolchain)
    table = Table("needed", "for", "found", box=SIMPLE_HEAD)
    for finding in findings:
        table.add_row(finding.what, finding.purpose, finding.found or "missing")
    _show(table)
    missing = [finding for finding in findings if finding.found is None]
    for finding in missing:
        console.print(f"{finding.what} is missing: {finding.remedy}", markup=False, soft_wrap=True)
    if missing:
        raise BuildError(f"{len(missing)} of {len(findings)} missing")
    console.print(f"nothing is missing for {arguments.board or 'any target'}", markup=False)


def _show(table: Table) -> None:
    (console if console.is_terminal else Console(width=160)).print(table)
