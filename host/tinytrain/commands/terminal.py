"""What subcommands share: the terminal, a progress bar, types of arguments."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

Commands = argparse._SubParsersAction  # noqa: SLF001

console = Console(highlight=False)


def positive(text: str) -> int:
    """A whole number of 1 or more."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("expected 1 or more")
    return value


def percent(text: str) -> int:
    """A whole number of 0 or more."""
    if not text.isascii() or not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no percentage; examples: 0, 10")
    return int(text)


def names(text: str) -> tuple[str, ...]:
    """Names with commas between them."""
    return tuple(name for name in text.split(",") if name)


def size(text: str) -> int:
    """Bytes, perhaps with K or M behind."""
    number, factor = text.upper(), 1
    for suffix, unit in (("K", 1024), ("M", 1024**2)):
        if number.endswith(suffix):
            number, factor = number.removesuffix(suffix), unit
    try:
        value = int(float(number) * factor)
        if value < 0:
            raise ValueError
        return value
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"{text!r} is no size; examples: 98304, 96K") from None


@contextmanager
def bar(what: str) -> Iterator[Progress]:
    """A progress bar with one task, while there is a terminal to show it on."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        progress.add_task(what, total=None)
        yield progress
