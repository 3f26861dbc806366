"""The search of `tinytrain plan --data`: which update scheme is best within RAM and time."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tinytrain.commands.model_options import options_of
from tinytrain.commands.terminal import bar, console, positive
from tinytrain.errors import BuildError

if TYPE_CHECKING:
    from tinytrain.search.pool import Pool
    from tinytrain.search.run import Found
    from tinytrain.search.study import Study

SPLITS = 4
OPTIONS = ("board", "time", "cheap", "seed", "jobs", "executor", "epochs", "lr", "splits", "output")
"""What says something only together with --data."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the search."""
    add = parser.add_argument_group(
        "search for the best scheme",
        "With --data, --board and --ram. Finished simulations are kept in OUTPUT.cache: after\n"
        "Ctrl-C, the same command goes on where it was. Beside OUTPUT, a .json file has all\n"
        "figures and an .svg file the picture.",
    )
    add.add_argument("--data", type=Path, metavar="FILE.npz",
                     help="arrays x_train, y_train (or x, y); x_test is not used")  # fmt: skip
    add.add_argument("--board", help="such as rpi_pico or unix, or a .toml file")
    add.add_argument("--time", type=_seconds, metavar="TIME",
                     help="that a step may take, such as 2s or 300ms")  # fmt: skip
    add.add_argument("--cheap", action="store_true", default=None,
                     help="judge tensors by their gradients, without training each")  # fmt: skip
    add.add_argument("--seed", type=_natural, metavar="N", help="default: 0")
    add.add_argument("--jobs", type=positive, metavar="N",
                     help="processes; default: all cores")  # fmt: skip
    add.add_argument("--executor", metavar="WHERE",
                     help="processes (default), dask, or dask:ADDRESS of a scheduler")  # fmt: skip
    add.add_argument("--epochs", type=positive, metavar="N", help="default: 3")
    add.add_argument("--lr", type=_rates, metavar="RATE[,RATE...]",
                     help="learning rates, each tried; default: 0.01,0.03,0.1")  # fmt: skip
    add.add_argument("--splits", type=positive, metavar="N",
                     help="of the data into training and validation; default: 4")  # fmt: skip
    add.add_argument("-o", dest="output", type=Path, metavar="OUTPUT",
                     help="default: update.toml")  # fmt: skip


def refuse_options(arguments: argparse.Namespace) -> None:
    """BuildError if something is asked of a search without data."""
    for name in OPTIONS:
        if getattr(arguments, name) is not None:
            option = "-o" if name == "output" else f"--{name}"
            raise BuildError(f"{option}: belongs to a search; say what to learn with --data")


def _seconds(text: str) -> float:
    number, factor = text.strip().lower(), 1.0
    for suffix, unit in (("ms", 1e-3), ("s", 1.0)):
        if number.endswith(suffix):
            number, factor = number.removesuffix(suffix), unit
            break
    try:
        value = float(number) * factor
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no time; examples: 2s, 300ms")
    return value


def _natural(text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise argparse.ArgumentTypeError("expected 0 or more")
    return int(text)


def _rates(text: str) -> tuple[float, ...]:
    try:
        return tuple(sorted({float(rate) for rate in text.split(",")}))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: expected numbers such as 0.01,0.1") from None


def run(arguments: argparse.Namespace) -> None:
    """Search, and write what was found."""
    from tinytrain.backend.board import load_board
    from tinytrain.search.cache import Cache
    from tinytrain.search.cost import Budget, allowed_cycles
    from tinytrain.search.run import Request, search

    output: Path = arguments.output or Path("update.toml")
    if output.suffix != ".toml" or output.is_dir():
        raise BuildError(f"{output}: the scheme goes to a file whose name ends with .toml")
    if arguments.board is None or arguments.ram is None:
        raise BuildError("a search needs --board, and --ram for arena and state, such as 96K")
    board = load_board(arguments.board)
    if arguments.ram > board.heap_bytes:
        raise BuildError(
            f"--ram {arguments.ram:,}: {board.name} has {board.heap_bytes:,} bytes of free heap"
        )
    cycles = None
    if arguments.time is not None:
        cycles = allowed_cycles(arguments.time, board.name, board.target, board.clock_hz)
    study = _study(arguments)
    request = Request(
        Budget(arguments.ram, cycles),
        arguments.splits or SPLITS,
        bool(arguments.cheap),
        study.options.freeze,
        target=board.target,
    )
    output.parent.mkdir(parents=True, exist_ok=True)
    cache = Cache(output.with_name(output.name + ".cache"))
    with _pool(arguments) as pool, bar("planning") as progress:
        task = progress.task_ids[0]

        def show(what: str, done: int, total: int) -> None:
            if what != progress.tasks[0].description:
                progress.reset(task, description=what, total=total or None)
            progress.update(task, completed=done)

        if cache.count:
            console.print(
                f"{cache.count} finished simulations found in {cache.path}", soft_wrap=True
            )
        found = search(study, request, pool, cache, show)
    _write(study, found, output, board.clock_hz)


def _study(arguments: argparse.Namespace) -> Study:
    from tinytrain.compilation import compile_graph, trained_graph
    from tinytrain.importers import load
    from tinytrain.passes.update import layer_names
    from tinytrain.samples import load_data
    from tinytrain.search.study import Settings, Study
    from tinytrain.sim.trainer import Trainer

    defaults = Settings()
    settings = Settings(
        arguments.lr or defaults.rates,
        arguments.epochs or defaults.epochs,
        seed=arguments.seed or defaults.seed,
    )
    graph = load(arguments.model)
    options = options_of(arguments)
    data = load_data(
        arguments.data, Trainer(compile_graph(graph, "last:1", replace(options, freeze=())))
    )
    graph = trained_graph(graph, options)
    options = replace(options, freeze=layer_names(graph, "--freeze", options.freeze))
    return Study(graph, options, data["x_train"], data["y_train"], settings)


@contextmanager
def _pool(arguments: argparse.Namespace) -> Iterator[Pool]:
    from tinytrain.search.pool import Dask, Processes, Serial

    jobs = arguments.jobs or len(os.sched_getaffinity(0))
    executor = arguments.executor or "processes"
    kind, _, address = executor.partition(":")
    if kind == "dask":
        dask = Dask(address or None, jobs)
        try:
            yield dask
        finally:
            dask.close()
    elif executor == "processes":
        yield Processes(jobs) if jobs > 1 else Serial()
    else:
        raise BuildError(f"--executor {executor}: expected processes, dask or dask:tcp://HOST:PORT")


def _write(study: Study, found: Found, output: Path, clock_hz: int | None) -> None:
    from tinytrain.search.output import result_json, update_toml, write
    from tinytrain.search.plot import plot

    cycles = found.best.cost.cycles
    seconds = cycles / clock_hz if cycles is not None and clock_hz else None
    text = update_toml(study, found, seconds)
    write(output.with_suffix(".json"), json.dumps(result_json(study, found), indent=1) + "\n")
    written = [output, output.with_suffix(".json")]
    try:
        plot(study, found, output.with_suffix(".svg"))
        written.append(output.with_suffix(".svg"))
    except BuildError as error:
        console.print(f"No picture: {error}", markup=False, soft_wrap=True)
    write(output, text)
    console.print(text, end="", markup=False, soft_wrap=True)
    console.print(f"\nWritten: {', '.join(map(str, written))}", markup=False, soft_wrap=True)
